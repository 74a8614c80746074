"""Two sets of contracts compared: compatibility, tables, and whether the version says so."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dataflow.contract import Contract
from dataflow.errors import NorenError
from dataflow.evolution.changes import Change, Level, bump, changes, level
from dataflow.evolution.tables import TableChange, table_changes
from dataflow.policy import Policy
from dataflow.review.version import Bump, Version
from dataflow.schemas import anonymized_table, raw_table


@dataclass(frozen=True)
class Comparison:
    """One stream, then and now.

    old, new: versions; empty where the stream is not there.
    policy: why the anonymized tables could not be compared, empty where they could.
    least: the version that the changes demand; empty where any will do.
    fault: what is wrong with the version, empty when it is right.
    """

    stream: str
    old: str
    new: str
    level: Level
    changes: list[Change] = field(default_factory=list)
    tables: list[TableChange] = field(default_factory=list)
    policy: str = ""
    least: str = ""
    fault: str = ""

    @property
    def changed(self) -> bool:
        return bool(self.changes or self.tables or self.fault or self.old != self.new)

    def to_dict(self) -> dict[str, Any]:
        return {
            "stream": self.stream,
            "old_version": self.old or None,
            "new_version": self.new or None,
            "compatibility": self.level,
            "changes": [
                {
                    "field": change.where,
                    "change": change.what,
                    "compatibility": change.level,
                    "meaning": change.meaning,
                    "bump": change.bump.name.lower(),
                }
                for change in self.changes
            ],
            "tables": [
                {"column": change.column, "change": change.what, "in_place": change.possible, "how": change.how}
                for change in self.tables
            ],
            "policy": self.policy or None,
            "demanded_version": self.least or None,
            "version_fault": self.fault or None,
        }


def compare(old: Mapping[str, Contract], new: Mapping[str, Contract], policy: Policy) -> list[Comparison]:
    """Every stream of either side, by name. policy: the one of now, for both sides, so that only contracts differ."""
    return [_stream(stream, old.get(stream), new.get(stream), policy) for stream in sorted(old.keys() | new.keys())]


def _stream(stream: str, old: Contract | None, new: Contract | None, policy: Policy) -> Comparison:
    if old is None:
        assert new is not None
        return Comparison(stream, "", new.version, Level.FULL)
    if new is None:
        return Comparison(stream, old.version, "", Level.NONE)
    found = changes(old, new)
    tables = table_changes(raw_table(old), raw_table(new))
    misfit = ""
    try:
        tables += table_changes(anonymized_table(old, policy), anonymized_table(new, policy))
    except NorenError as error:
        misfit = str(error)
    needed = max(bump(found), *(change.bump for change in tables), Bump.NONE)
    least, fault = _version(old.version, new.version, needed)
    return Comparison(stream, old.version, new.version, level(found), found, tables, misfit, least, fault)


def _version(old: str, new: str, needed: Bump) -> tuple[str, str]:
    """(the least version that is right, what is wrong with the one there)."""
    try:
        was, now = Version.parse(old), Version.parse(new)
    except NorenError as error:
        return "", f"version {error}"
    least = was.bumped(needed)
    if now < was:
        return str(least), f"version {new} is older than {old}; write {least}."
    if now < least:
        return str(least), f"version {new} must be {least} or above: the changes are {needed.name.lower()}."
    return (str(least) if needed else ""), ""
