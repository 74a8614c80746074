"""Differences for people, for a comment on a pull request, and for machines."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from iam.difference.compare import POWERS, Column, Differences, Meant, Power, Reading
from iam.difference.gate import Verdict
from iam.difference.state import UNTRACED, Meaning
from iam.lineage.sensitivity import Sensitivity

NAMED = 6
"""Columns that are named before the rest is counted."""
MARKER = "<!-- noren acl diff -->"
"""First line of the Markdown: by it a workflow finds its own comment to replace."""

type Code = Callable[[str], str]


def plain(text: str) -> str:
    return text


def code(text: str) -> str:
    return f"`{text}`"


def lines(found: Differences, mark: Code = plain) -> Iterator[str]:
    """One sentence a change: gains, losses, other meanings, rights, rows."""
    yield from _readings(found, True, mark)
    yield from _readings(found, False, mark)
    yield from _others(found, mark)
    if not found and not found.untraced:
        yield "Nobody gains or loses anything."


def _others(found: Differences, mark: Code) -> Iterator[str]:
    yield from _meanings(found.meanings, mark)
    for power in found.powers:
        verb = "can now" if power.gained else "can no longer"
        yield f"{_who(power.who, power.people)} {verb} {POWERS[power.right]} {mark(power.dataset)}"
    for rows in found.rows:
        yield f"{mark(rows.table)}: {rows.words}" + ("; more rows may be seen" if rows.widens else "")
    for relation, reason in found.untraced.items():
        yield f"{mark(relation.partition('.')[2])} cannot be traced, so it may tell anything: {reason}"


def markdown(found: Differences, verdict: Verdict, base: str) -> str:
    """A comment for a pull request."""
    parts = [MARKER, f"### Who can read what, compared with `{base}`", ""]
    sections = (
        ("Gained", _readings(found, True, code)),
        ("Lost", _readings(found, False, code)),
        ("Other", _others(found, code)),
    )
    for title, sentences in sections:
        if told := list(sentences):
            parts += [f"**{title}**", "", *(f"- {sentence}" for sentence in told), ""]
    if not found and not found.untraced:
        parts += ["Nobody gains or loses anything.", ""]
    if verdict.asks:
        state = f"approved by {', '.join(verdict.by)}" if verdict.open else "**not approved**"
        parts += [f"Takes an approval ({state}):", "", *(f"- {ask}" for ask in verdict.asks), ""]
    return "\n".join(parts)


def as_json(found: Differences, verdict: Verdict) -> dict[str, Any]:
    return {
        "readings": [
            {
                "who": reading.who,
                "people": reading.people,
                "table": reading.table,
                "gained": reading.gained,
                "why": reading.why or None,
                "columns": [
                    {"column": column.name, "masked": column.masked, **_meaning(column.meaning)}
                    for column in reading.columns
                ],
            }
            for reading in found.readings
        ],
        "meanings": [
            {
                "table": meant.table,
                "column": meant.column,
                "before": _meaning(meant.before),
                "after": _meaning(meant.after),
                "weaker": meant.weaker,
                "readers": [{"who": who, "people": people} for who, people in meant.readers],
            }
            for meant in found.meanings
        ],
        "powers": [_power(power) for power in found.powers],
        "rows": [
            {"table": rows.table, "words": rows.words, "widens": rows.widens, "classification": str(rows.most)}
            for rows in found.rows
        ],
        "untraced": {relation.partition(".")[2]: reason for relation, reason in found.untraced.items()},
        "gate": {"asks": list(verdict.asks), "approvals": list(verdict.by), "open": verdict.open},
    }


def _readings(found: Differences, gained: bool, mark: Code) -> Iterator[str]:
    """The most telling first; who gains or loses the same is in one sentence."""
    same: dict[tuple[str, tuple[Column, ...]], list[Reading]] = {}
    for reading in found.readings:
        if reading.gained is gained:
            same.setdefault((reading.table, reading.columns), []).append(reading)
    for readings in sorted(same.values(), key=lambda many: (-many[0].most.rank, many[0].table)):
        yield _reading(readings, mark)


def _reading(readings: Sequence[Reading], mark: Code) -> str:
    first = readings[0]
    verb = "can now read" if first.gained else "can no longer read"
    who = _listed([_who(reading.who, reading.people) for reading in readings])
    told = f"{who} {verb} {_columns(first, mark)} of {mark(first.table)}"
    by_origin: dict[str, list[str]] = {}
    for column in first.columns:
        if first.gained and column.meaning.sensitivity.rank > Sensitivity.COUNT.rank:
            by_origin.setdefault(_origin(column.meaning), []).append(column.name)
    parts = [f"{_names(names, mark)} derive{'s' * (len(names) == 1)} from {why}" for why, names in by_origin.items()]
    if parts:
        told += f"; of these {', '.join(parts)}"
    if masked := [column.name for column in first.columns if column.masked]:
        told += f"; {_names(masked, mark)} masked"
    whys = list(dict.fromkeys(reading.why for reading in readings if reading.why))
    return f"{told} ({_listed(whys)})" if whys and (first.gained or len(readings) == 1) else told


def _columns(reading: Reading, mark: Code) -> str:
    names = [column.name for column in reading.columns]
    if names == [UNTRACED]:
        return "everything"
    if reading.whole and len(names) > NAMED:
        return f"all {len(names)} columns"
    count = f"{len(names)} column{'s' * (len(names) != 1)}"
    return f"{count} ({_names(names, mark)})"


def _names(names: list[str], mark: Code) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(mark, names[:NAMED])) + more


def _origin(meaning: Meaning) -> str:
    """`location (a grid of 1.1 km)`, of the most telling origin."""
    if not meaning.origins:
        return str(meaning.sensitivity)
    _, classification, method = meaning.origins[0]
    name, _, parameters = method.partition(" (")
    effect = parameters.rpartition(": ")[2].removesuffix(")") or name
    return (classification or str(meaning.sensitivity)) + (f" ({effect})" if effect else "")


def _meanings(meanings: Sequence[Meant], mark: Code) -> Iterator[str]:
    """Columns that changed in the same way are in one sentence."""
    same: dict[tuple[str, str, bool], list[Meant]] = {}
    for meant in meanings:
        same.setdefault((_told(meant.before), _told(meant.after), meant.weaker), []).append(meant)
    for (was, now, weaker), many in sorted(same.items(), key=lambda item: (not item[0][2], item[0])):
        readers = list(dict.fromkeys(_who(who, people) for meant in many for who, people in meant.readers))
        names = _names([f"{meant.table}.{meant.column}" for meant in many], mark)
        sources = "it comes from elsewhere" if was == now else f"now {now}, was {was}"
        more = "tells more" if weaker else "tells otherwise"
        yield f"{names}: {more} to {_listed(readers)}: {sources}"


def _told(meaning: Meaning) -> str:
    word, origin = str(meaning.sensitivity), _origin(meaning)
    return origin if origin.startswith(word) else f"{word} of {origin}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _who(who: str, people: int | None) -> str:
    if who == "anybody":
        return "anybody at all"
    if who.startswith("anybody@"):
        return f"everybody at {who.partition('@')[2]}"
    return who if people is None else f"{who} ({people} {'person' if people == 1 else 'people'})"


def _meaning(meaning: Meaning) -> dict[str, Any]:
    return {
        "classification": str(meaning.sensitivity),
        "origins": [{"field": f, "classification": c, "method": m} for f, c, m in meaning.origins],
    }


def _power(power: Power) -> dict[str, Any]:
    return {
        "who": power.who,
        "people": power.people,
        "dataset": power.dataset,
        "right": power.right.name.lower(),
        "gained": power.gained,
    }
