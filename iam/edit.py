"""Changes the JSON files of `iam/` as a person would: an item goes or comes, every other character stays."""

import json
from collections.abc import Iterable
from json.decoder import JSONDecoder
from pathlib import Path

from dataflow.errors import NorenError
from iam.entries import Json
from iam.positions import offset

_DECODER = JSONDecoder()


def without(text: str, indices: Iterable[int]) -> str:
    """The text of a JSON list without the items at these indices."""
    for index in sorted(set(indices), reverse=True):
        start = offset(text, (index,))
        _, end = _DECODER.raw_decode(text, start)
        before, after = text[:start].rstrip(), text[end:].lstrip()
        if after.startswith(","):  # its own comma goes with it; what stood before it stays
            text = text[:start] + after[1:].lstrip()
        else:
            text = before.removesuffix(",").rstrip() + ("\n" if "\n" in text[start - 4 : start] else "") + after
    return text


def appended(text: str, item: Json) -> str:
    """The text of a JSON list with one more item, written on a line of its own."""
    line = json.dumps(item, ensure_ascii=False)
    head = text.rstrip().removesuffix("]").rstrip()
    if not text.strip():
        head = "["
    comma = "" if head.endswith("[") else ","
    return f"{head}{comma}\n  {line}\n]\n"


def append(path: Path, item: Json) -> None:
    """Add an item to the list in a file, or make the file. Raises NorenError when it holds no list."""
    text = path.read_text("utf-8") if path.is_file() else ""
    if text.strip() and not isinstance(json.loads(text), list):
        raise NorenError(f"{path.name}: must be a JSON list.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(appended(text, item), "utf-8")
