"""What changed between two versions of a contract, field by field, and who can still read whom.

The words are those of the Confluent Schema Registry
(https://docs.confluent.io/platform/current/schema-registry/fundamentals/schema-evolution.html): a change is BACKWARD
compatible when the new contract reads events that were sent under the old one, FORWARD when the old contract reads
events that are sent under the new one, FULL when both, NONE when neither. Read by the rules of this house: an
undeclared field is dropped and counted, a required field that is absent, a value out of an enum or a range and a wrong
type make the event a dead letter, null is the same as absent, and an integer is a number.

The registry's own rules for JSON Schema differ in one point: there an optional field that is added to an open
object is not BACKWARD, since old events may have carried the name with another type. Here such events are rare, were
counted as unknown fields, and would end in dead letters; the change says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from dataflow.contract import Constraints, Contract, Field, FieldType
from dataflow.review.version import Bump


class Level(StrEnum):
    """Compatibility of a change or a whole contract."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    FORWARD = "FORWARD"
    FULL = "FULL"

    @classmethod
    def of(cls, *, backward: bool, forward: bool) -> "Level":
        return {(True, True): cls.FULL, (True, False): cls.BACKWARD, (False, True): cls.FORWARD}.get(
            (backward, forward), cls.NONE
        )

    def covers(self, demanded: "Level") -> bool:
        """Whether this is at least as compatible as what is demanded."""
        return demanded in (Level.NONE, self) or self is Level.FULL


BACKWARD, FORWARD, FULL, NONE = (True, False), (False, True), (True, True), (False, False)


SENT = ", those of old senders too"


@dataclass(frozen=True)
class Change:
    """One change.

    where: path of the field, or the setting. what: the change in words. meaning: what follows for readers and senders.
    bump: what it demands of the version.
    """

    where: str
    what: str
    level: Level
    meaning: str
    bump: Bump

    def __str__(self) -> str:
        return f"{self.where}: {self.what}: {self.level}{', ' if self.meaning else ''}{self.meaning}"


def changes(old: Contract, new: Contract) -> list[Change]:
    """The changes from one version of a stream's contract to the next, settings first, then fields in order."""
    return [*_settings(old, new), *_fields(old.fields, new.fields)]


def level(found: list[Change]) -> Level:
    """The compatibility of all changes together."""
    return Level.of(
        backward=all(change.level in (Level.FULL, Level.BACKWARD) for change in found),
        forward=all(change.level in (Level.FULL, Level.FORWARD) for change in found),
    )


def bump(found: list[Change]) -> Bump:
    """What all changes together demand of the version."""
    return max((change.bump for change in found), default=Bump.NONE)


def _change(where: str, what: str, compatible: tuple[bool, bool], meaning: str, least: Bump | None = None) -> Change:
    """Senders whose events were good must stay good: what is not BACKWARD is a major change, all others minor."""
    backward, forward = compatible
    bump = least if least is not None else Bump.MINOR if backward else Bump.MAJOR
    return Change(where, what, Level.of(backward=backward, forward=forward), meaning, bump)


def _settings(old: Contract, new: Contract) -> Iterator[Change]:
    if old.domain != new.domain:
        meaning = "tables, access and the keys of tokens are others; old rows do not join with new ones"
        yield _change("domain", f"{old.domain} -> {new.domain}", NONE, meaning)
    if old.identity != new.identity:
        what = f"{', '.join(old.identity)} -> {', '.join(new.identity)}"
        meaning = "an event sent before and again after the change is no duplicate: its token is another"
        yield _change("identity", what, NONE, meaning)
    if old.event_time != new.event_time:
        meaning = "partitions, key epochs and late events go by another time"
        yield _change("eventTime", f"{old.event_time} -> {new.event_time}", NONE, meaning)
    before, after = old.max_message_bytes, new.max_message_bytes
    if before != after:
        what = f"{before:,} -> {after:,} bytes"
        if after > before:
            yield _change("maxMessageBytes", what, BACKWARD, "old readers dead-letter longer events")
        else:
            yield _change("maxMessageBytes", what, FORWARD, f"longer events are dead letters{SENT}")
    for name in ("format", "subject"):
        was, now = getattr(old, name, None), getattr(new, name, None)
        if was != now and name == "format":
            yield _change(name, f"{was} -> {now}", NONE, "neither side reads the other's messages")
        elif was != now:
            yield _change(name, f"{was} -> {now}", FULL, "whose event it is changes; methods and erasure go by it")
    if old.event_type != new.event_type:
        meaning = "minute metrics are counted under other types"
        yield _change("eventType", f"{old.event_type} -> {new.event_type}", FULL, meaning)
    if old.description != new.description:
        yield _change("description", "reworded", FULL, "", Bump.PATCH)


def _fields(old: tuple[Field, ...], new: tuple[Field, ...]) -> Iterator[Change]:
    before, after = ({field.name: field for field in fields} for fields in (old, new))
    for name, field in before.items():
        if name not in after:
            yield _removed(field)
    for name, field in after.items():
        if name not in before:
            yield _added(field)
        else:
            yield from _field(before[name], field)


def _removed(field: Field) -> Change:
    if field.required:
        return _change(
            field.path, "required field removed", BACKWARD, "old readers dead-letter events without it", Bump.MAJOR
        )
    meaning = "who still sends it has it dropped and counted; the column gets no more values"
    return _change(field.path, "optional field removed", FULL, meaning, Bump.MAJOR)


def _added(field: Field) -> Change:
    if field.required:
        return _change(field.path, "required field added", FORWARD, f"events without it are dead letters{SENT}")
    meaning = "old readers drop and count it; whoever sent it undeclared in another type gets dead letters"
    return _change(field.path, "optional field added", FULL, meaning)


def _field(old: Field, new: Field) -> Iterator[Change]:
    path = new.path
    if old.required and not new.required:
        yield _change(path, "no longer required", BACKWARD, "old readers dead-letter events without it")
    if new.required and not old.required:
        yield _change(path, "now required", FORWARD, f"events without it are dead letters{SENT}")
    if old.type is not new.type:
        yield _retyped(old, new)
    elif old.items is not None and new.items is not None:
        yield from _limits(path, old.constraints, new.constraints, "items")
        yield from (_inside(change) for change in _field(old.items, new.items) if change.what != "reworded")
    else:
        yield from _limits(path, old.constraints, new.constraints, "length")
        yield from _fields(old.children, new.children)
    if old.classification is not new.classification and old.type is not FieldType.OBJECT and old.items is None:
        what = f"classified {new.classification or 'not at all'}, was {old.classification or 'not at all'}"
        yield _change(path, what, FULL, "the policy treats it by another rule: see the tables and noren policy diff")
    if old.description != new.description:
        yield _change(path, "reworded", FULL, "", Bump.PATCH)


def _inside(change: Change) -> Change:
    return change if change.what.startswith("items") else replace(change, what=f"in each item: {change.what}")


def _retyped(old: Field, new: Field) -> Change:
    what = f"type {old.type} -> {new.type}"
    texts = (FieldType.TIMESTAMP, FieldType.DATE)
    objects = (FieldType.OBJECT, FieldType.MAP)
    if (old.type, new.type) == (FieldType.INTEGER, FieldType.NUMBER):
        return _change(new.path, what, BACKWARD, "old readers dead-letter fractions", Bump.MAJOR)
    if (old.type, new.type) == (FieldType.NUMBER, FieldType.INTEGER):
        return _change(new.path, what, FORWARD, "fractions, and 1.0, are dead letters")
    if old.type in texts and new.type is FieldType.STRING:
        return _change(new.path, what, BACKWARD, f"old readers dead-letter texts that are no {old.type}", Bump.MAJOR)
    if old.type is FieldType.STRING and new.type in texts:
        return _change(new.path, what, FORWARD, f"texts that are no {new.type} are dead letters")
    if (old.type, new.type) == objects:
        return _change(new.path, what, BACKWARD, "old readers check what stands in it", Bump.MAJOR)
    if (new.type, old.type) == objects:
        return _change(new.path, what, FORWARD, "what stands in it is checked now")
    return _change(new.path, what, NONE, "each side dead-letters the other's events")


def _limits(path: str, old: Constraints, new: Constraints, measured: str) -> Iterator[Change]:
    for name, before, after, upper in (
        ("minimum", old.minimum, new.minimum, False),
        ("maximum", old.maximum, new.maximum, True),
        (f"least {measured}", old.min_length, new.min_length, False),
        (f"greatest {measured}", old.max_length, new.max_length, True),
    ):
        if before == after:
            continue
        what = f"{name} {_limit(before)} -> {_limit(after)}"
        if before is None:
            wider = False
        elif after is None:
            wider = True
        else:
            wider = (after > before) == upper
        yield _widened(path, what) if wider else _narrowed(path, what)
    yield from _enum(path, set(old.values), set(new.values))
    for name, was, now in (("pattern", old.pattern, new.pattern), ("format", old.format, new.format)):
        if was == now:
            continue
        if was is None:
            yield _narrowed(path, f"{name} added")
        elif now is None:
            yield _widened(path, f"{name} removed")
        else:
            meaning = "which texts pass cannot be compared; take it as breaking"
            yield _change(path, f"{name} changed", NONE, meaning)


def _enum(path: str, old: set[str], new: set[str]) -> Iterator[Change]:
    if old and not new:
        yield _widened(path, "enum removed")
    elif new and not old:
        yield _narrowed(path, f"enum of {len(new)} values added")
    else:
        for value in sorted(new - old):
            yield _change(path, f"value {value!r} added", BACKWARD, "old readers dead-letter it")
        for value in sorted(old - new):
            yield _change(path, f"value {value!r} removed", FORWARD, "events that have it are dead letters")


def _widened(path: str, what: str) -> Change:
    return _change(path, what, BACKWARD, "old readers dead-letter what passes only now")


def _narrowed(path: str, what: str) -> Change:
    return _change(path, what, FORWARD, "what passed until now may be a dead letter")


def _limit(value: float | None) -> str:
    return "none" if value is None else f"{value:,g}" if isinstance(value, float) else f"{value:,}"
