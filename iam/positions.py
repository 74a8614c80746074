"""Where something stands in a JSON file: line and column, looked up only when somebody asks.

`json` forgets positions, and a parser that keeps them is slow for thousands of entries of which one is wrong. So a
`Place` keeps the path and the text, and finds its offset by walking over the values before it.
"""

import json
import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

type Path = tuple[str | int, ...]
"""Keys and indices from the top, e.g. (0, "view", "tableId")."""

_DECODER = json.JSONDecoder()
_WHITESPACE = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True)
class Place:
    """A value of a file, or a key of an object (its path then ends with the key).

    file: path relative to the project's root. path: from the top; () is the file. text: the file's text.
    """

    file: str
    path: Path = ()
    text: str = field(default="", repr=False, compare=False)

    def __truediv__(self, step: str | int) -> "Place":
        """The place below this one."""
        return Place(self.file, (*self.path, step), self.text)

    @cached_property
    def offset(self) -> int:
        """Characters before it; of the nearest place around it when it is missing."""
        return offset(self.text, self.path)

    @cached_property
    def line(self) -> int:
        """From 1."""
        return self.text.count("\n", 0, self.offset) + 1

    @property
    def column(self) -> int:
        """From 1, in characters."""
        return self.offset - (self.text.rfind("\n", 0, self.offset) + 1) + 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


def offset(text: str, path: Path) -> int:
    """Offset of the value at `path`, of its key in an object, or of the nearest thing around it that exists."""
    mark = here = _skip(text, 0)
    for step in path:
        found = _item(text, here, step) if isinstance(step, int) else _key(text, here, step)
        if found is None:
            break
        mark, here = found
    return mark


def _skip(text: str, at: int) -> int:
    blank = _WHITESPACE.match(text, at)
    return blank.end() if blank else at


def _item(text: str, at: int, index: int) -> tuple[int, int] | None:
    starts = _starts(text, at)
    return (starts[index], starts[index]) if 0 <= index < len(starts) else None


@lru_cache(maxsize=512)
def _starts(text: str, at: int) -> tuple[int, ...]:
    """Offsets of the items of the list at `at`, as far as it is one: an explanation asks for hundreds of one file."""
    if text[at : at + 1] != "[":
        return ()
    found, at = list[int](), _skip(text, at + 1)
    try:
        while text[at : at + 1] not in ("]", ""):
            found.append(at)
            at = _skip(text, _DECODER.raw_decode(text, at)[1])
            if text[at : at + 1] != ",":
                break
            at = _skip(text, at + 1)
    except ValueError:
        pass
    return tuple(found)


def _key(text: str, at: int, key: str) -> tuple[int, int] | None:
    if text[at : at + 1] != "{":
        return None
    at = _skip(text, at + 1)
    try:
        while text[at : at + 1] == '"':
            name, end = _DECODER.raw_decode(text, at)
            value = _skip(text, _skip(text, end) + 1)  # past the colon
            if name == key:
                return at, value
            at = _skip(text, _DECODER.raw_decode(text, value)[1])
            if text[at : at + 1] != ",":
                return None
            at = _skip(text, at + 1)
    except ValueError:
        return None
    return None
