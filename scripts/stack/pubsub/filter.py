"""Google's filter language for subscriptions: which messages a subscription gets, by their attributes.

    attributes:k                     the attribute exists
    attributes.k = "v"               it exists and has this value
    attributes.k != "v"              it does not have this value (also true where it does not exist)
    hasPrefix(attributes.k, "v")     it exists and begins so
    NOT x, -x, (x), x AND y, x OR y  AND and OR may not be mixed without parentheses; NOT binds tighter

A key that has other characters than letters, digits, `_` and `-` is written as a string: attributes."a.b". Strings are
in double quotes with C's escapes. Source: https://cloud.google.com/pubsub/docs/subscription-message-filter
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

Predicate = Callable[[Mapping[str, str]], bool]

LIMIT = 256
"""Google's limit for the length of a filter, in bytes."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<word>[A-Za-z_][A-Za-z0-9_]*(?:-+[A-Za-z0-9_]+)*)"""
    r"""|(?P<number>[0-9][A-Za-z0-9_\-]*)|(?P<sign>!=|[=:.,()\-]))""",
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})|([0-7]{1,3})|(.))", re.DOTALL)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_PLAIN = frozenset("\\\"'?`")


class FilterError(ValueError):
    """The filter cannot be read; the text says what was expected and where (column, counted from 1)."""


class _Token(NamedTuple):
    kind: str
    text: str
    column: int


def parse(text: str) -> Predicate:
    """The predicate over a message's attributes. An empty filter lets everything pass. Raises FilterError."""
    if not text.strip():
        return lambda _attributes: True
    if len(text.encode()) > LIMIT:
        raise FilterError(f"the filter has more than {LIMIT} bytes")
    return _Parser(text).parse()


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if not match:
            column = at + len(text[at:]) - len(text[at:].lstrip())
            raise FilterError(f"unexpected {text[column]!r} at column {column + 1}")
        kind = str(match.lastgroup)
        found.append(_Token(kind, match.group(kind), match.start(kind) + 1))
        at = match.end()
    found.append(_Token("end", "", end + 1))
    return found


def _unquote(token: _Token) -> str:
    def replace(match: re.Match[str]) -> str:
        *coded, simple = match.groups()
        for digits, base in zip(coded, (16, 16, 16, 8), strict=True):
            if digits is not None:
                try:
                    return chr(int(digits, base))
                except (ValueError, OverflowError):
                    raise FilterError(f"no such character: {match.group()} at column {token.column}") from None
        if simple in _SIMPLE:
            return _SIMPLE[simple]
        if simple in _PLAIN:
            return str(simple)
        raise FilterError(f"unknown escape {match.group()} in the string at column {token.column}")

    return _ESCAPE.sub(replace, token.text[1:-1])


class _Parser:
    """Recursive descent over the token list."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.at = 0

    def parse(self) -> Predicate:
        predicate = self.expression()
        token = self.tokens[self.at]
        if token.kind != "end":
            raise self.unexpected("AND, OR or the end")
        return predicate

    def unexpected(self, wanted: str) -> FilterError:
        token = self.tokens[self.at]
        what = "the end" if token.kind == "end" else repr(token.text)
        return FilterError(f"expected {wanted} but found {what} at column {token.column}")

    def accept(self, text: str) -> bool:
        token = self.tokens[self.at]
        if token.text == text and token.kind in ("sign", "word"):
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise self.unexpected(repr(text))

    def expression(self) -> Predicate:
        terms = [self.term()]
        joined = ""
        while self.tokens[self.at].text in ("AND", "OR") and self.tokens[self.at].kind == "word":
            word = self.tokens[self.at].text
            if joined and word != joined:
                raise FilterError(f"AND and OR are mixed at column {self.tokens[self.at].column}: add parentheses")
            joined = word
            self.at += 1
            terms.append(self.term())
        if len(terms) == 1:
            return terms[0]
        if joined == "AND":
            return lambda attributes: all(term(attributes) for term in terms)
        return lambda attributes: any(term(attributes) for term in terms)

    def term(self) -> Predicate:
        if self.accept("NOT") or self.accept("-"):
            inner = self.term()
            return lambda attributes: not inner(attributes)
        if self.accept("("):
            inner = self.expression()
            self.expect(")")
            return inner
        if self.accept("hasPrefix"):
            self.expect("(")
            self.expect("attributes")
            self.expect(".")
            key = self.key()
            self.expect(",")
            prefix = self.string()
            self.expect(")")
            return lambda attributes: key in attributes and attributes[key].startswith(prefix)
        if not self.accept("attributes"):
            raise self.unexpected("attributes, hasPrefix, NOT or (")
        if self.accept(":"):
            key = self.key()
            return lambda attributes: key in attributes
        self.expect(".")
        key = self.key()
        if self.accept("="):
            value = self.string()
            return lambda attributes: key in attributes and attributes[key] == value
        if self.accept("!="):
            value = self.string()
            return lambda attributes: not (key in attributes and attributes[key] == value)
        raise self.unexpected("= or !=")

    def key(self) -> str:
        token = self.tokens[self.at]
        if token.kind == "string":
            self.at += 1
            return _unquote(token)
        if token.kind in ("word", "number"):
            self.at += 1
            return token.text
        raise self.unexpected("an attribute's key")

    def string(self) -> str:
        token = self.tokens[self.at]
        if token.kind != "string":
            raise self.unexpected("a string in double quotes")
        self.at += 1
        return _unquote(token)
