"""Contracts proposed, from a sample of events or from a stream's unknown fields. See README.md."""

import re
from pathlib import Path

from dataflow.errors import NorenError
from dataflow.inference.draft import ContractDraft, Draft
from dataflow.inference.identity import event_time, identity
from dataflow.inference.infer import Drafter
from dataflow.inference.profile import Profiler
from dataflow.inference.sample import Advance, Counts, Sample

__all__ = ["ContractDraft", "Counts", "Draft", "drafted"]


def drafted(
    path: Path,
    stream: str,
    domain: str,
    most: int = 100_000,
    *,
    time: str | None = None,
    keys: tuple[str, ...] = (),
    advance: Advance | None = None,
) -> tuple[ContractDraft, Counts]:
    """A contract drafted from an NDJSON file, and how many of its lines were of use.

    most: events that are looked at. time, keys: the event time and the identity, where they are known.
    Raises NorenError when the file cannot be read or has no event, or nothing in it is a time or names an event.
    """
    sample, profiler = Sample(path, most), Profiler()
    for event in sample.events(advance):
        profiler.add(event)
    counts = sample.counts
    if not counts.events:
        raise NorenError(f"{path}: holds no event: one JSON object a line is wanted ({counts.bad:,} other lines).")
    drafter = Drafter()
    draft = ContractDraft(stream, domain, counts.events, drafter.fields(profiler.root), "", drafter.undeclared)
    for chosen in (*keys, *([time] if time else [])):
        if not draft.find(chosen):
            known = ", ".join(field.path for field in draft.all())
            raise NorenError(f"{path}: no field {chosen}: there are {known}.")
    draft.event_time = time or event_time(draft, profiler)
    named = list(keys) or identity(draft, profiler, sample)
    for place, key in enumerate(named, start=1):
        draft.find(key)[-1].key = place
    for path_ in (*named, draft.event_time):
        draft.require(path_)
    return draft, counts


def stream_of(path: Path) -> str:
    """A stream's name from a file's: `Web-Log.ndjson` -> `web_log`. Raises NorenError when it gives none."""
    name = re.sub(r"[^a-z0-9]+", "_", path.name.split(".")[0].lower()).strip("_")
    if not re.fullmatch(r"[a-z][a-z0-9_]{2,127}", name):
        raise NorenError(f"{path.name}: gives no name for a stream; say --stream NAME.")
    return name
