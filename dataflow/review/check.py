"""`noren contract check`: everything that is wrong with the contracts, all at once.

The reader (`dataflow.contract`) stops at the first error, which is right for a pipeline. Here every rule looks at every
place, with file, line and the way out. What the reader refuses and no rule knows is reported as well.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dataflow.contract import load_contract
from dataflow.errors import NorenError
from dataflow.review.fields import Entry, clashes, entries, findings
from dataflow.review.located import Located, Place, UnreadableError, members, read_located
from dataflow.review.problems import Problem, did_you_mean
from dataflow.review.standard import standard_errors
from dataflow.review.version import Version

MOST_BYTES = 10_000_000
"""A Pub/Sub message: https://cloud.google.com/pubsub/quotas#resource_limits"""


def check_contracts(directory: Path, root: Path) -> list[Problem]:
    """The problems of every contract of `directory`, by file and line.

    root: what the files are named relative to.
    Raises NorenError when there is no contract at all.
    """
    paths = sorted(directory.glob("*.yaml"))
    if not paths:
        raise NorenError(f"{directory} holds no contract: make one with noren contract new --from sample.ndjson.")
    return [problem for path in paths for problem in check_contract(path, root)]


def check_contract(path: Path, root: Path) -> list[Problem]:
    """The problems of the contract in `path`, by line; see `check_contracts`."""
    file = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    try:
        located = read_located(path)
    except UnreadableError as error:
        return [Problem(file, error.line, "$", str(error))]
    problems = [
        Problem(file, located.line(place), where or "$", message, suggestion)
        for place, where, message, suggestion in _findings(located, path.stem)
    ]
    if not problems:
        problems = _refused(path, file, located)
    return sorted(set(problems))


def _findings(located: Located, stem: str) -> Iterator[tuple[Place, str, str, str]]:
    for place, _ in located.repeated:
        yield place, _shown(place), "stands twice in one mapping, and only the last counts.", "Remove one."
    document = located.document
    named = dict(_paths(document))
    refused = set()
    for place, message in standard_errors(document):
        refused.add(place)
        yield place, _field_of(place, named), message, ""
    if not isinstance(document, dict):
        return
    yield from _head(document, stem, refused)
    schemas = list(members(document.get("schema"), ("schema",)))
    if len(schemas) != 1:
        yield ("schema",), "schema", "must hold exactly one object, the event.", "Split other objects into files."
    for place, schema in schemas[:1]:
        found = entries(schema, place)
        if not found:
            yield place, "schema", "declares no field.", "Add properties."
        for entry in found:
            for finding in findings(entry):
                if finding[0] not in refused:
                    yield finding
        yield from clashes(found)
        yield from _identity(found, place)
        yield from _settings(schema, found, place)


def _head(document: dict[str, Any], stem: str, refused: set[Place]) -> Iterator[tuple[Place, str, str, str]]:
    name, domain, version = document.get("name"), document.get("domain"), document.get("version")
    if name != stem:
        yield ("name",), "name", f"is {name}, the file is {stem}.yaml.", f"Write name: {stem}, or rename the file."
    if not re.fullmatch(r"[a-z][a-z0-9_]{2,127}", stem) or stem.startswith("goog"):
        yield (
            ("name",),
            "name",
            "names a table and a topic: three or more lower-case letters, digits and underscores, a letter first, "
            "not beginning with goog.",
            "Rename the stream.",
        )
    if not isinstance(domain, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", domain):
        yield ("domain",), "domain", "must be a lower-case word; it names the datasets, as in raw__<domain>.", ""
    if ("version",) not in refused and version is not None:
        try:
            Version.parse(str(version))
        except NorenError as error:
            yield ("version",), "version", str(error), ""


def _identity(found: list[Entry], place: Place) -> Iterator[tuple[Place, str, str, str]]:
    keys = [entry for entry in found if entry.document.get("primaryKey") is True]
    if not keys:
        names = [entry for entry in found if entry.always and entry.kind == "string" and entry.name.endswith("id")]
        suggestion = f"Is it {names[0].path}? Put it there." if names else "Put it on the field that names an event."
        yield place, "schema", "no field has primaryKey: true; the identity decides what a duplicate is.", suggestion
    positions: dict[object, Entry] = {}
    for entry in keys:
        if entry.repeated or entry.kind not in ("string", "integer", "timestamp", "date"):
            yield (
                (*entry.place, "primaryKey"),
                entry.path,
                f"is part of the identity; a {'repeated value' if entry.repeated else entry.kind} cannot be.",
                "Use strings, integers and times.",
            )
        if not entry.always:
            yield (
                (*entry.place, "primaryKey"),
                entry.path,
                "is part of the identity and may be absent.",
                "Write required: true, on the objects around it too.",
            )
        position = entry.document.get("primaryKeyPosition")
        other = positions.setdefault(position, entry)
        if len(keys) > 1 and (position is None or other is not entry):
            yield (
                (*entry.place, "primaryKeyPosition"),
                entry.path,
                "has no place of its own in the identity, whose order makes the token.",
                "Give each part its primaryKeyPosition, from 1.",
            )


def _settings(schema: dict[str, Any], found: list[Entry], place: Place) -> Iterator[tuple[Place, str, str, str]]:
    listed = list(members(schema.get("customProperties"), (*place, "customProperties")))
    values = {entry.get("property"): (inner, entry.get("value")) for inner, entry in listed}
    times = [entry.path for entry in found if entry.kind == "timestamp" and entry.always and not entry.repeated]
    where = "customProperties.eventTime"
    inner, event_time = values.get("eventTime", (place, None))
    known = {entry.path: entry for entry in found}
    candidates = f"Use {' or '.join(times)}." if times else "Declare a required timestamp."
    if event_time is None:
        close = next((str(name) for name in values if str(name).lower().replace("_", "") == "eventtime"), None)
        hint = f"Write eventTime for {close}." if close else candidates
        yield place, where, "is missing: when did an event happen?", hint
    elif event_time not in known:
        yield inner, where, f"names {event_time}, which is no field.", did_you_mean(event_time, times or known)
    elif event_time not in times:
        entry = known[event_time]
        why = f"is of type {entry.kind}" if entry.kind != "timestamp" else "may be absent"
        yield inner, where, f"names {event_time}, which {why}; it must be a required timestamp.", candidates
    inner, most = values.get("maxMessageBytes", (place, 1))
    if not isinstance(most, int) or isinstance(most, bool) or not 0 < most <= MOST_BYTES:
        limit = f"{MOST_BYTES:,}"
        yield inner, "customProperties.maxMessageBytes", f"must be a whole number from 1 to {limit}.", ""


def _refused(path: Path, file: str, located: Located) -> list[Problem]:
    """What only the reader, or a rendering, refuses."""
    from dataflow.schemas.pubsub import events

    try:
        events(load_contract(path))
    except NorenError as error:
        _, _, told = str(error).partition(": ")
        where, separator, message = told.partition(": ")
        if not separator:
            where, message = "$", told
        places = {name: place for place, name in _paths(located.document)}
        return [Problem(file, located.line(places.get(where, ())), where, message)]
    return []


def _paths(document: Any) -> Iterator[tuple[Place, str]]:
    """(place, dotted path) of every field."""
    if isinstance(document, dict):
        for place, schema in members(document.get("schema"), ("schema",)):
            for entry in entries(schema, place):
                yield entry.place, entry.path


def _field_of(place: Place, named: dict[Place, str]) -> str:
    """The field that a place lies in, and the key below it."""
    for length in range(len(place), 0, -1):
        if place[:length] in named:
            return ".".join([named[place[:length]], *(str(part) for part in place[length:])])
    return _shown(place)


def _shown(place: Place) -> str:
    return ".".join(map(str, place)) or "$"
