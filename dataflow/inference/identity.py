"""Which fields name an event, and which says when it happened."""

from collections.abc import Iterator

from dataflow.contract import Classification
from dataflow.errors import NorenError
from dataflow.inference.draft import ContractDraft, Draft
from dataflow.inference.profile import Profiler
from dataflow.inference.sample import Sample
from dataflow.inference.words import split

NEARLY_ALL = 0.98
"""How many of the events must have the field: samples hold malformed ones."""

NEARLY_UNIQUE = 0.97
"""How many of its values must be distinct: samples hold events that were sent twice."""

TIME_NAMES = (
    "timestamp",
    "event_time",
    "eventtime",
    "occurred_at",
    "time",
    "ts",
    "datetime",
    "date_time",
    "logged_at",
    "created_at",
)

MOST_CANDIDATES = 8
MOST_PARTS = 4


def event_time(draft: ContractDraft, profiler: Profiler) -> str:
    """The path of the time that an event happened at.

    Raises NorenError when no field is a time in nearly every event.
    """
    times = [leaf for leaf in _steady(draft, profiler) if leaf.kind == "timestamp"]
    if not times:
        numbers = [leaf.path for leaf in draft.leaves() if any("a time " in remark for remark in leaf.remarks)]
        hint = f"; {', '.join(numbers)} would be one if the sender wrote it so" if numbers else ""
        raise NorenError(
            f"no field is an RFC 3339 time with a zone, such as 2024-01-15T10:30:00Z, in nearly every event{hint}. "
            "Every stream needs one: it says when an event happened."
        )

    def rank(leaf: Draft) -> tuple[int, int]:
        name = leaf.name.lower()
        return (TIME_NAMES.index(name) if name in TIME_NAMES else len(TIME_NAMES), leaf.path.count("."))

    return min(times, key=rank).path


def identity(draft: ContractDraft, profiler: Profiler, sample: Sample) -> list[str]:
    """The paths that together name an event: one field where there is one, else the event time and others.

    Reads the sample once more. Raises NorenError when nothing names an event.
    """
    steady = [leaf for leaf in _steady(draft, profiler) if leaf.kind in ("string", "integer", "timestamp")]
    singles = sorted((leaf for leaf in steady if _like_an_id(leaf)), key=lambda leaf: _rank(leaf, draft.stream))
    combinations = [[leaf.path] for leaf in singles[:MOST_CANDIDATES]]
    others = [leaf.path for leaf in sorted(steady, key=_telling) if leaf.path != draft.event_time]
    combinations += [[draft.event_time, *others[:length]] for length in range(1, min(MOST_PARTS, len(others) + 1))]
    seen: list[set[int]] = [set() for _ in combinations]
    events = 0
    for event in sample.events():
        values = {path: _value(event, path) for paths in combinations for path in paths}
        events += 1
        for paths, known in zip(combinations, seen, strict=True):
            known.add(hash(tuple(values[path] for path in paths)))
    for paths, known in zip(combinations, seen, strict=True):
        if len(known) >= NEARLY_UNIQUE * events:
            return paths
    raise NorenError(
        "no field, and no few fields together with the time, name an event: every stream needs an identity, or a "
        "second sending of an event could not be told from a second event. Have the sender add an event_id (a UUID), "
        "or name the fields with --identity."
    )


def _steady(draft: ContractDraft, profiler: Profiler) -> Iterator[Draft]:
    """Scalars outside lists that nearly every event has, of the type that is drafted."""
    for leaf in draft.all():
        if leaf.guess is None or leaf.kind == "map":
            continue
        profile = profiler.root
        for name in leaf.path.split("."):
            profile = profile.children[name]
        if profile.values - profile.odd >= NEARLY_ALL * profiler.root.seen:
            yield leaf


def _like_an_id(leaf: Draft) -> bool:
    words = split(leaf.name)
    named = bool(words) and words[-1] in ("id", "uuid", "guid", "key", "no", "number")
    return leaf.kind != "timestamp" and (named or leaf.options.get("format") == "uuid")


def _rank(leaf: Draft, stream: str) -> tuple[int, int]:
    name = "_".join(split(leaf.name))
    own = ("event_id", "insert_id", "message_id", "id", "uuid", "event_uuid", f"{stream}_id", "request_id", "log_id")
    return (own.index(name) if name in own else len(own), leaf.path.count("."))


def _telling(leaf: Draft) -> int:
    """Who did what comes before how: the fields that tell two events of one moment apart."""
    order = (Classification.IDENTIFIER, Classification.NETWORK, Classification.FREE_TEXT)
    assert leaf.guess is not None
    return order.index(leaf.guess.classification) if leaf.guess.classification in order else len(order)


def _value(event: object, path: str) -> object:
    for name in path.split("."):
        event = event.get(name) if isinstance(event, dict) else None
    return event if isinstance(event, str | int) else None
