"""YAML with line numbers: the plain document, and for every place in it the line that it stands on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dataflow.errors import NorenError

type Place = tuple[str | int, ...]
"""Keys and indices from the top, e.g. ("schema", 0, "properties", 2, "name")."""


class UnreadableError(NorenError):
    """The file is no YAML document. line: where the parser gave up, from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Located:
    """document: as `yaml.safe_load` gives it.

    root: the same as nodes with marks.
    lines: line, from 1, of every place: a key's own line, an item's first line.
    repeated: (place, line) of keys that stand twice in one mapping; YAML takes the last and says nothing.
    """

    document: Any
    root: yaml.Node | None
    lines: dict[Place, int]
    repeated: list[tuple[Place, int]]

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest place around it that exists."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def read_located(path: Path) -> Located:
    """The YAML document in `path`.

    Raises UnreadableError when it cannot be read or parsed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}.", 1) from error
    except UnicodeDecodeError as error:
        raise UnreadableError("is no UTF-8 text.", 1) from error
    return parse_located(text)


def parse_located(text: str) -> Located:
    """The YAML document in `text`. Raises UnreadableError when it is none."""
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
        document = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        told = " ".join(str(error.problem or error.context).split())
        raise UnreadableError(f"is no valid YAML: {told}.", mark.line + 1 if mark else 1) from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2024-13-45
        raise UnreadableError(f"is no valid YAML: {' '.join(str(error).split())}.", 1) from error
    lines: dict[Place, int] = {}
    repeated: list[tuple[Place, int]] = []
    if root is not None:
        _walk(root, (), root.start_mark.line + 1, lines, repeated)
    return Located(document, root, lines, repeated)


def _walk(node: yaml.Node, place: Place, line: int, lines: dict[Place, int], repeated: list[tuple[Place, int]]) -> None:
    lines[place] = line
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            inner = (*place, key.value)
            if key.value in seen:
                repeated.append((inner, key.start_mark.line + 1))
            seen.add(key.value)
            _walk(value, inner, key.start_mark.line + 1, lines, repeated)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(item, (*place, index), item.start_mark.line + 1, lines, repeated)


def members(document: Any, place: Place = ()) -> Iterator[tuple[Place, dict[str, Any]]]:
    """(place, entry) of every mapping in a list of mappings; nothing where the list is none."""
    if isinstance(document, list):
        for index, entry in enumerate(document):
            if isinstance(entry, dict):
                yield (*place, index), entry
