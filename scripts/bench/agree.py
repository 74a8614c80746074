"""Do both do the same work? Rows of the core against rows of the tuned loop, tokens aside."""

import datetime
import json
import re
from collections.abc import Sequence
from typing import Any

from dataflow.core import Anonymizer, Batch
from dataflow.errors import NorenError
from scripts.bench.loops import tuned
from scripts.bench.subject import RECEIVED, flat

TOKENS = ("event_id", "user_id", "session_id", "email")
TAG = re.compile(r"<[A-Z_]+>")


def check_agreement(core: Anonymizer, events: Sequence[bytes]) -> None:
    """Raises NorenError naming the first field that differs.

    A token is compared as present or absent and by its shape; tags by their place, for each side has its own words
    for them.
    """
    rows = flat(core.process(Batch(events, [RECEIVED] * len(events))).anonymized).to_dicts()
    if len(rows) != len(events):
        raise NorenError(f"the core accepts {len(rows)} of {len(events)} events that the tuned loop accepts.")
    for number, (row, event) in enumerate(zip(rows, events, strict=True)):
        want = _flat(json.loads(tuned(event)[1]))
        have = {name: _plain(value) for name, value in _opened(row).items() if value is not None}
        if have.keys() != want.keys():
            raise NorenError(f"event {number}: {', '.join(sorted(have.keys() ^ want.keys()))}: on one side only.")
        for name, value in want.items():
            if not _equal(name, have[name], value):
                raise NorenError(f"event {number}: {name}: the core and the tuned loop differ.")


def _opened(row: dict[str, Any]) -> dict[str, Any]:
    """A free-form map's JSON text as fields."""
    opened = {name: value for name, value in row.items() if name != "properties"}
    if isinstance(row.get("properties"), str):
        opened |= _flat({"properties": json.loads(row["properties"])})
    return opened


def _flat(event: dict[str, Any], parent: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in event.items():
        path = f"{parent}.{name}" if parent else name
        out |= _flat(value, path) if isinstance(value, dict) else {path: value}
    return out


def _plain(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


def _equal(name: str, have: Any, want: Any) -> bool:
    if name in TOKENS:
        return bool(re.fullmatch("[0-9a-f]{32}", have)) and bool(re.fullmatch("[0-9a-f]{32}", want))
    if isinstance(want, str):
        return TAG.sub("<>", str(have)) == TAG.sub("<>", want)
    return bool(have == want)
