"""Differences for people, for a comment on a pull request, and for machines."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from iam.difference.compare import POWERS, Differences, Meant, Power, Reading
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
    for reading in (*_of(found, True), *_of(found, False)):
        yield _reading(reading, mark)
    for meant in found.meanings:
        yield _meant(meant, mark)
    for power in found.powers:
        verb = "can now" if power.gained else "can no longer"
        yield f"{_who(power.who, power.people)} {verb} {POWERS[power.right]} {mark(power.dataset)}"
    for rows in found.rows:
        yield f"{mark(rows.table)}: {rows.words}" + ("; more rows may be seen" if rows.widens else "")
    for relation, reason in found.untraced.items():
        yield f"{mark(relation.partition('.')[2])} cannot be traced, so it may tell anything: {reason}"
    if not found:
        yield "Nobody gains or loses anything."


def markdown(found: Differences, verdict: Verdict, base: str) -> str:
    """A comment for a pull request."""
    gained, lost = _of(found, True), _of(found, False)
    parts = [MARKER, f"### Who can read what, compared with `{base}`", ""]
    sections: tuple[tuple[str, Iterable[str]], ...] = (
        ("Gained", (_reading(reading, code) for reading in gained)),
        ("Lost", (_reading(reading, code) for reading in lost)),
        ("Other", lines(Differences((), found.meanings, found.powers, found.rows, found.untraced), code)),
    )
    for title, sentences in sections:
        told = [sentence for sentence in sentences if not sentence.startswith("Nobody ")]
        if told:
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


def _of(found: Differences, gained: bool) -> list[Reading]:
    """The most telling first."""
    mine = [reading for reading in found.readings if reading.gained is gained]
    return sorted(mine, key=lambda reading: (-reading.most.rank, reading.table, reading.who))


def _reading(reading: Reading, mark: Code) -> str:
    verb = "can now read" if reading.gained else "can no longer read"
    told = f"{_who(reading.who, reading.people)} {verb} {_columns(reading, mark)} of {mark(reading.table)}"
    by_origin: dict[str, list[str]] = {}
    for column in reading.columns:
        if reading.gained and column.meaning.sensitivity.rank > Sensitivity.COUNT.rank:
            by_origin.setdefault(_origin(column.meaning), []).append(column.name)
    parts = [f"{_names(names, mark)} derive{'s' * (len(names) == 1)} from {why}" for why, names in by_origin.items()]
    if parts:
        told += f"; of these {', '.join(parts)}"
    if masked := [column.name for column in reading.columns if column.masked]:
        told += f"; {_names(masked, mark)} masked"
    return f"{told} ({reading.why})" if reading.why else told


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
    """`location (checkin.venue.latitude, coarsen_location (decimals 2: a grid of 1.1 km))` of the most telling one."""
    if not meaning.origins:
        return str(meaning.sensitivity)
    name, classification, method = meaning.origins[0]
    kind = classification or str(meaning.sensitivity)
    return f"{kind} ({name}{', ' if method else ''}{method})"


def _meant(meant: Meant, mark: Code) -> str:
    name = mark(f"{meant.table}.{meant.column}")
    readers = ", ".join(_who(who, people) for who, people in meant.readers[:NAMED])
    more = f" and {len(meant.readers) - NAMED} more" if len(meant.readers) > NAMED else ""
    return f"{name}, which {readers}{more} can read, now tells {_told(meant.after)}; it told {_told(meant.before)}" + (
        ": more than before" if meant.weaker else ""
    )


def _told(meaning: Meaning) -> str:
    origin = f" from {_origin(meaning)}" if meaning.origins else ""
    return f"{meaning.sensitivity}{origin}"


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
