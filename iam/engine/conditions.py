"""Conditions of a grant: the part of the Common Expression Language that IAM's conditions on BigQuery are written in.

Understood are `request.time` compared with `timestamp("...")`, `resource.name`, `.type` and `.service` compared with a
text, `resource.name.startsWith("...")` and `.endsWith`, joined by `&&`, `||`, `!` and parentheses. Anything else is
not known to hold, and the grant with it gives nothing.
https://cloud.google.com/iam/docs/conditions-attribute-reference
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

TOKEN = re.compile(
    r"""\s*(?:(?P<text>"[^"\\]*"|'[^'\\]*')|(?P<op>&&|\|\||[=!<>]=|[<>!().])|(?P<word>[A-Za-z_]\w*))""", re.VERBOSE
)
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
MAX_DEPTH = 12
"""IAM's own limit: https://cloud.google.com/iam/quotas"""


@dataclass(frozen=True)
class Request:
    """What a condition is asked about. at: the time of the request. name, type: of the resource."""

    at: datetime
    name: str
    type: str = "bigquery.googleapis.com/Dataset"
    service: str = "bigquery.googleapis.com"


type Test = Callable[[Request], bool]


class UnknownConditionError(ValueError):
    """The expression is not understood here. The text says which part of it."""


def holds(expression: str, request: Request) -> bool:
    """Whether the condition is true of the request. Raises UnknownConditionError."""
    return _compiled(expression)[0](request)


def expiry(expression: str) -> datetime | None:
    """The earliest time from which the condition can no longer hold, where it is a plain bound of request.time that
    must hold; None: it has no such bound. Raises UnknownConditionError."""
    return _compiled(expression)[1]


@lru_cache(maxsize=4096)
def _compiled(expression: str) -> tuple[Test, datetime | None]:
    parser = _Parser(expression)
    test, until = parser.any_of(0)
    if parser.peek() is not None:
        raise UnknownConditionError(f"{parser.peek()!r} is not expected there")
    return test, until


class _Parser:
    """Recursive descent over the tokens; each method answers (test, bound of request.time)."""

    def __init__(self, expression: str) -> None:
        self.tokens, position = list[str](), 0
        expression = expression.strip()
        while position < len(expression):
            match = TOKEN.match(expression, position)
            if match is None:
                raise UnknownConditionError(f"{expression[position : position + 20].strip()!r} is not understood")
            self.tokens.append(match.group(match.lastgroup or 0))
            position = match.end()
        self.at = 0

    def peek(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, *expected: str) -> str:
        token = self.peek()
        if token is None or (expected and token not in expected):
            raise UnknownConditionError(f"{token!r} where {' or '.join(expected) or 'a value'} is expected")
        self.at += 1
        return token

    def any_of(self, depth: int) -> tuple[Test, datetime | None]:
        if depth > MAX_DEPTH:
            raise UnknownConditionError("the expression nests too deeply")
        terms = [self.all_of(depth)]
        while self.peek() == "||":
            self.take()
            terms.append(self.all_of(depth))
        if len(terms) == 1:
            return terms[0]
        bounds = [until for _, until in terms]
        latest = max((b for b in bounds if b is not None), default=None) if None not in bounds else None
        return (lambda request: any(test(request) for test, _ in terms)), latest

    def all_of(self, depth: int) -> tuple[Test, datetime | None]:
        factors = [self.factor(depth)]
        while self.peek() == "&&":
            self.take()
            factors.append(self.factor(depth))
        if len(factors) == 1:
            return factors[0]
        earliest = min((until for _, until in factors if until is not None), default=None)
        return (lambda request: all(test(request) for test, _ in factors)), earliest

    def factor(self, depth: int) -> tuple[Test, datetime | None]:
        here = self.peek()
        if here == "!":
            self.take()
            test, _ = self.factor(depth + 1) if depth < MAX_DEPTH else self.any_of(MAX_DEPTH + 1)
            return (lambda request: not test(request)), None
        if here == "(":
            self.take()
            inner = self.any_of(depth + 1)
            self.take(")")
            return inner
        if here in ("true", "false"):
            self.take()
            return (lambda _: here == "true"), None
        if here == "timestamp":
            moment = self.timestamp()
            sign = FLIPPED[self.take(*FLIPPED)]
            self.request_time()
            return _time(sign, moment)
        if here == "request":
            self.request_time()
            sign = self.take(*COMPARE)
            return _time(sign, self.timestamp())
        if here == "resource":
            return self.resource(), None
        raise UnknownConditionError(f"{here!r} is not understood")

    def request_time(self) -> None:
        for expected in ("request", ".", "time"):
            self.take(expected)

    def timestamp(self) -> datetime:
        self.take("timestamp")
        self.take("(")
        text = self.text()
        self.take(")")
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise UnknownConditionError(f"{text!r} is no timestamp") from None
        if moment.tzinfo is None:
            raise UnknownConditionError(f"{text!r} has no time zone")
        return moment

    def text(self) -> str:
        token = self.take()
        if token[0] not in "\"'":
            raise UnknownConditionError(f"{token!r} where a text is expected")
        return token[1:-1]

    def resource(self) -> Test:
        self.take("resource")
        self.take(".")
        attribute = self.take("name", "type", "service")
        if self.peek() == ".":
            self.take(".")
            method = self.take("startsWith", "endsWith")
            self.take("(")
            text = self.text()
            self.take(")")
            if method == "startsWith":
                return lambda request: str(getattr(request, attribute)).startswith(text)
            return lambda request: str(getattr(request, attribute)).endswith(text)
        sign = COMPARE[self.take("==", "!=")]
        text = self.text()
        return lambda request: sign(getattr(request, attribute), text)


def _time(sign: str, moment: datetime) -> tuple[Test, datetime | None]:
    compare = COMPARE[sign]
    return (lambda request: compare(request.at, moment)), (moment if sign in ("<", "<=") else None)
