"""Which of two rules for one field lets more through. What cannot be told counts as weaker: somebody has to look."""

from dataclasses import dataclass
from enum import StrEnum

from dataflow.methods.base import Method

NOTHING = "nothing"
"""What a method leaks (`Method.leaks`) that tells nothing of the value."""


class Direction(StrEnum):
    """stronger: less leaves the curtain. changed: not comparable, so it needs the reviews that weaker needs."""

    STRONGER = "stronger"
    WEAKER = "weaker"
    CHANGED = "changed"


@dataclass(frozen=True)
class Comparison:
    """words: e.g. `coarsen_location 2 -> 3 decimals: a grid of 110 m instead of 1.1 km`."""

    direction: Direction
    words: str


def compare(old: Method, new: Method) -> Comparison | None:
    """What the new rule does otherwise than the old one; None when it does the same."""
    if old == new:
        return None
    if type(old) is type(new):
        return _parameters(old, new)
    return _methods(old, new)


def describe(method: Method) -> str:
    """A rule in words: `coarsen_location (decimals 2: a grid of 1.1 km)`."""
    told = ", ".join(f"{name} {getattr(method, name)}" for name in method.__struct_fields__)
    effect = method.effect()
    inner = f"{told}: {effect}" if told and effect else told or effect
    return f"{method.name} ({inner})" if inner else method.name


def _methods(old: Method, new: Method) -> Comparison:
    words = f"{describe(old)} -> {describe(new)}"
    if new.name == "drop":
        return Comparison(Direction.STRONGER, f"dropped, was {describe(old)}")
    if old.name == "drop":
        return Comparison(Direction.WEAKER, f"newly kept: {describe(new)}, was dropped")
    if new.name == "keep":
        return Comparison(Direction.WEAKER, f"{words}: the value itself leaves the curtain")
    if old.name == "keep" or new.leaks == NOTHING:
        return Comparison(Direction.STRONGER, words)
    if old.leaks == NOTHING:
        return Comparison(Direction.WEAKER, f"{words}: told nothing before")
    if new.reversible and not old.reversible:
        return Comparison(Direction.WEAKER, f"{words}: who holds the key gets the value back")
    return Comparison(Direction.CHANGED, f"{words}: not comparable, review needed")


def _parameters(old: Method, new: Method) -> Comparison:
    told, directions = [], set()
    for name in new.__struct_fields__:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            told.append(_told(name, before, after))
            directions.add(_direction(new, name, before, after))
    words = f"{new.name} {', '.join(told)}"
    if new.effect() != old.effect():
        words += f": {_instead(old.effect(), new.effect())}"
    order = (Direction.WEAKER, Direction.CHANGED, Direction.STRONGER)
    direction = next(direction for direction in order if direction in directions)
    if direction is Direction.CHANGED:
        words += "; not comparable, review needed"
    return Comparison(direction, words)


def _told(name: str, before: object, after: object) -> str:
    if isinstance(before, int) and isinstance(after, int):
        return f"{before} -> {after} {name}"
    return f"{name} {before} -> {after}"


def _direction(method: Method, name: str, before: object, after: object) -> Direction:
    """Of one parameter that differs."""
    scale = method.scales.get(name)
    if isinstance(scale, tuple):
        if before not in scale or after not in scale:
            return Direction.CHANGED
        weaker = scale.index(str(after)) > scale.index(str(before))
    elif scale is None or not isinstance(before, int | float) or not isinstance(after, int | float):
        return Direction.CHANGED
    else:
        weaker = (after > before) == (scale == "more")
    return Direction.WEAKER if weaker else Direction.STRONGER


def _instead(before: str, after: str) -> str:
    """`a grid of 110 m instead of 1.1 km`: what both begin with is said once."""
    old, new = before.split(), after.split()
    same = 0
    while same < min(len(old), len(new)) - 1 and old[same] == new[same]:
        same += 1
    return f"{after} instead of {' '.join(old[same:])}" if before and after else after or f"no more {before}"
