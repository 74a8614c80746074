"""What scrubbing recognizes: steps, each a pattern that means the same to Rust's regex and to Python's `re`.

ASCII classes only and no look-around. A step with a check runs in Python, on those texts alone that its gate lets
through; the others run as one columnar replacement. Steps come one after the other and never look into what an earlier
one has replaced.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from dataflow.methods.digits import LONG, NUMBER, PHONE, parts

EMAIL, IP, QUERY = "<EMAIL>", "<IP>", "<QUERY>"

type Span = tuple[int, int, str]
"""(start, end, tag), in characters."""

SEPARATOR = r"[ ()./_-]{0,3}"
"""Between two digits of one number."""


@dataclass(frozen=True)
class Step:
    """One kind of entity.

    pattern: a match is replaced by the tag, but for its first group, if it has one.
    gate: lets at least every text with a match (of a checked step: with a good match) through.
    marks: characters of MARKS, one of which at least is in every match; empty where none has to be.
    digits: how many every match has at least.
    check: what of a match is one; None when all of it is.
    """

    tag: str
    pattern: str
    gate: str
    marks: str = ""
    digits: int = 0
    check: Callable[["re.Match[str]"], Iterator[Span]] | None = None

    @cached_property
    def compiled(self) -> "re.Pattern[str]":
        return re.compile(self.pattern)

    def spans(self, text: str) -> Iterator[Span]:
        """What this step replaces in a folded text."""
        for found in self.compiled.finditer(text):
            if self.check is not None:
                yield from self.check(found)
            else:
                yield found.end(1) if self.compiled.groups else found.start(), found.end(), self.tag


_LETTER = re.compile("[0-9A-Za-z_]")
_SPELT = re.compile("(?=.*[0-9])[0-9A-Fa-f]+:.*[0-9A-Fa-f]$")


def _v6(found: "re.Match[str]") -> Iterator[Span]:
    text, start, end = found.string, found.start(), found.end()
    glued = _LETTER.match(text, start - 1) if start else None
    if _LETTER.match(text, end) or (glued and not _SPELT.match(found[0])):
        return  # as in std::vector
    while start < end:
        try:
            ipaddress.IPv6Address(text[start:end])
        except ValueError:
            if not text[end - 1 : end].endswith(":"):
                return
            end -= 1
        else:
            yield start, end, IP
            return


def _long(found: "re.Match[str]") -> Iterator[Span]:
    for start, end, tag in parts(found[0]):
        end += found.start()
        extension = _AFTER.match(found.string, end) if tag == PHONE and end == found.end() else None
        yield found.start() + start, extension.end() if extension else end, tag


_PATH = r"[A-Za-z0-9._~:/\[\]@!$&'()*+,;=%-]"
_NAME = r"[A-Za-z0-9._~%+\[\]-]"
_TEXT = r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]"
_AT = r"(?:@| ?[(\[] ?at ?[)\]] ?)"
_EXTENSION = r"(?: ?(?:x|ext\.?) ?[0-9]{1,6})?"
_AFTER = re.compile(_EXTENSION)

MARKS = "?#@)]:."
"""Characters that say which steps may find something in a text."""

STEPS = (
    Step(f"?{QUERY}", rf"(https?://{_PATH}*)[?#]{_TEXT}+", r"https?://", "?#"),
    Step(f"?{QUERY}", rf"[?#]{_NAME}+={_TEXT}*", r"[?#]", "?#"),
    Step(EMAIL, rf"[A-Za-z0-9._%+-]+{_AT}(?:[A-Za-z0-9-]+\.)+[A-Za-z]{{2,}}", r"@|at ?[)\]]", "@)]"),
    Step(IP, r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}", r"[0-9]\.[0-9]{1,3}\.[0-9]", ".", 4),
    Step(
        IP,
        r"(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{0,4}){2,8}|::[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,7})",
        r"::|(?:[0-9A-Fa-f]{1,4}:){7}",
        ":",
        check=_v6,
    ),
    Step(
        NUMBER,
        rf"[+(]{{0,2}}[0-9](?:{SEPARATOR}[0-9]){{{LONG - 1},}}",
        rf"[0-9](?:{SEPARATOR}[0-9]){{{LONG - 1}}}",
        digits=LONG,
        check=_long,
    ),
    Step(
        PHONE,
        rf"(?:\+[ (]{{0,2}}[0-9](?:{SEPARATOR}[0-9]){{6,14}}"  # with a country code
        rf"|\(?0(?:{SEPARATOR}[0-9]){{9,10}}"  # Japan and others that dial a 0 first
        rf"|81{SEPARATOR}[1-9](?:{SEPARATOR}[0-9]){{8}}"  # Japan's country code without a plus
        r"|(?:1[ .-]{0,3})?\(?[2-9][0-9]{2}\)?[ .-]{0,3}[0-9]{3}[ .-]{0,3}[0-9]{4}"  # North America
        rf"){_EXTENSION}",
        rf"[0-9](?:{SEPARATOR}[0-9]){{6}}",
        digits=7,
    ),
    Step(NUMBER, rf"\+?[0-9](?:{SEPARATOR}[0-9]){{6,}}", rf"[0-9](?:{SEPARATOR}[0-9]){{6}}", digits=7),
)
"""In this order. The last takes every other run of seven digits or more, dates written in digits too: what is left of a
number that was not recognized must not leave the curtain."""


def find(text: str, steps: tuple[Step, ...] = STEPS) -> list[Span]:
    """Everything that the steps replace in a folded text, in order, in characters."""
    found: list[Span] = []
    for step in steps:
        spans = list(step.spans(text))
        for start, end, _ in spans:
            text = f"{text[:start]}{HOLE * (end - start)}{text[end:]}"
        found += spans
    return sorted(found)


HOLE = "\0"
"""Stands for each replaced character until all steps are done: no pattern matches it, like the edge of a tag."""
