"""Where something is written: a file and a line, for every answer and every complaint."""

import json
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Place:
    """Where something is written.

    file: path from the project's root, or where else it was found, e.g. `the live dataset`. line: from 1; 0: none.
    """

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


def lines(text: str) -> tuple[int, ...]:
    """The line on which each item of a JSON list begins, from 1. Empty when the text is no JSON list."""
    decoder, found = json.JSONDecoder(), list[int]()
    at = _blank(text, 0)
    if not text.startswith("[", at):
        return ()
    at = _blank(text, at + 1)
    try:
        while at < len(text) and text[at] != "]":
            found.append(text.count("\n", 0, at) + 1)
            _, at = decoder.raw_decode(text, at)
            at = _blank(text, at)
            at = _blank(text, at + 1) if text.startswith(",", at) else at
    except json.JSONDecodeError:
        return ()
    return tuple(found)


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at
