"""A profile: what the values of each field of a sample look like, in bounded memory and without keeping the values.

Kept are counts, extremes of length and size, hashes of distinct values (for a bounded number of fields and values) and,
for fields of few short codes, the codes themselves; whoever writes them anywhere has to know that the field is public.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dataflow.inference.shapes import LONG, Shape, integer_shapes, shapes

MOST_DISTINCT = 1_000_000
"""Hashes of distinct values kept over all fields; about 90 MB."""

MOST_DISTINCT_OF_FIELD = 20_000
"""Of one field; how distinct its values are is known by then."""

MOST_CODES = 24
"""Distinct values up to which a field may be an enum."""

MOST_FIELDS = 2_000
"""Paths that are profiled; a sample with more uses data as names."""

MOST_CHILDREN = 100
"""Names in one object above which they are taken for data."""


@dataclass
class Profile:
    """The values at one path.

    seen: how often the field was there; nulls: of these, as null.
    kinds: JSON type -> count, of what was not null; integers of more than 64 bits count as `number`.
    shapes: Shape -> count, of strings and of long integers.
    hashes: of distinct values; None once there were too many to keep, and then `settled` is the share they had.
    fine: numbers with more than two decimals.
    codes: value -> count of strings; None once there were too many or too long ones.
    children: of objects, by name. items: of arrays.
    """

    path: str
    seen: int = 0
    nulls: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    shapes: Counter[Shape] = field(default_factory=Counter)
    shortest: int = 1 << 62
    longest: int = 0
    lowest: float = float("inf")
    highest: float = float("-inf")
    hashes: set[int] | None = field(default_factory=set)
    settled: float = 0.0
    fine: int = 0
    codes: Counter[str] | None = field(default_factory=Counter)
    children: dict[str, "Profile"] = field(default_factory=dict)
    items: "Profile | None" = None
    crowded: bool = False

    @property
    def values(self) -> int:
        """How many values were not null."""
        return self.seen - self.nulls

    @property
    def distinct(self) -> float:
        """Distinct values as a share of all, up to when there were too many to count: 1 for an id."""
        if self.hashes is None:
            return self.settled
        return len(self.hashes) / self.values if self.values else 0.0

    def share(self, shape: Shape) -> float:
        """The share of scalars that have a shape."""
        scalars = self.kinds["string"] + self.kinds["integer"]
        return self.shapes[shape] / scalars if scalars else 0.0

    @property
    def kind(self) -> str:
        """The JSON type of most values; integers among numbers are numbers. Empty when all were null."""
        if not self.kinds:
            return ""
        (most, _), *_ = self.kinds.most_common(1)
        return "number" if most == "integer" and self.kinds["number"] else most

    @property
    def odd(self) -> int:
        """How many values are of another JSON type than `kind`."""
        fitting = {self.kind} | ({"integer"} if self.kind == "number" else set())
        return sum(count for kind, count in self.kinds.items() if kind not in fitting)

    def leaves(self) -> Iterator["Profile"]:
        """This profile, or those of the values below it."""
        if self.kinds["object"] == 0:
            yield self
        for child in self.children.values():
            yield from child.leaves()


class Profiler:
    """Profiles events one by one."""

    def __init__(self) -> None:
        self.root = Profile("")
        self._room = MOST_DISTINCT
        self._fields = 0

    def add(self, event: dict[str, Any]) -> None:
        """Take one event, as orjson reads it, into account."""
        self._take(self.root, event)

    def _take(self, profile: Profile, value: Any) -> None:
        profile.seen += 1
        if value is None:
            profile.nulls += 1
        elif isinstance(value, dict):
            profile.kinds["object"] += 1
            for name, child in value.items():
                inner = self._child(profile, name)
                if inner is not None:
                    self._take(inner, child)
        elif isinstance(value, list):
            profile.kinds["array"] += 1
            if profile.items is None:
                profile.items = Profile(profile.path)
            for item in value:
                self._take(profile.items, item)
        else:
            self._scalar(profile, value)

    def _child(self, profile: Profile, name: str) -> Profile | None:
        known = profile.children.get(name)
        if known is not None:
            return known
        if len(profile.children) >= MOST_CHILDREN or self._fields >= MOST_FIELDS:
            profile.crowded = True
            return None
        self._fields += 1
        made = Profile(f"{profile.path}.{name}" if profile.path else name)
        profile.children[name] = made
        return made

    def _scalar(self, profile: Profile, value: Any) -> None:
        if isinstance(value, bool):
            profile.kinds["boolean"] += 1
            return
        if isinstance(value, str):
            profile.kinds["string"] += 1
            size = len(value)
            profile.shortest, profile.longest = min(profile.shortest, size), max(profile.longest, size)
            for shape in shapes(value):
                profile.shapes[shape] += 1
        else:
            whole = isinstance(value, int) and -(2**63) <= value < 2**63
            profile.kinds["integer" if whole else "number"] += 1
            profile.lowest, profile.highest = min(profile.lowest, value), max(profile.highest, value)
            if not whole:
                profile.fine += round(value, 2) != value
            elif value >= LONG:
                for shape in integer_shapes(value):
                    profile.shapes[shape] += 1
        self._distinct(profile, value)

    def _distinct(self, profile: Profile, value: Any) -> None:
        if profile.codes is not None:
            text = value if isinstance(value, str) else None
            full = len(profile.codes) >= MOST_CODES
            if text is None or len(text) > 40 or (full and text not in profile.codes):
                profile.codes = None
            else:
                profile.codes[text] += 1
        if profile.hashes is None:
            return
        number = hash(value)
        if number not in profile.hashes:
            if self._room == 0 or len(profile.hashes) == MOST_DISTINCT_OF_FIELD:
                profile.settled, profile.hashes = profile.distinct, None
                return
            self._room -= 1
            profile.hashes.add(number)
