"""From profiles to a draft: types, presence, limits, enums and classifications of fields."""

import re
from collections.abc import Mapping

from dataflow.contract import RESERVED, Classification
from dataflow.inference.classify import classify, combined
from dataflow.inference.draft import Draft
from dataflow.inference.profile import Profile
from dataflow.inference.shapes import Shape
from dataflow.inference.words import Guess, split

NEARLY_ALL = 0.98
"""The share of values that decides a type or a format: samples have bad events in them, which become dead letters."""

ENOUGH_EVENTS = 20
"""Events from which on a field that was always there is required."""

ENUM_VALUES = 8
ENUM_TIMES = 20
"""An enum has at most so many values, and each was seen so often."""

OPEN_ENDED = frozenset(
    {"event", "action", "page", "screen", "button", "version", "campaign", "product", "item", "feature"}
)
"""Words of fields whose values grow with every release: an enum would reject tomorrow's events."""

LENGTHS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 16384, 65536)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")

FREQUENT = 0.5
"""A name of no usable form is told to the user only when it is in so many of the events: rarer ones may be data."""


class Drafter:
    """Drafts fields. `undeclared` gathers (path, why) of what has no place in a contract."""

    def __init__(self) -> None:
        self.undeclared: list[tuple[str, str]] = []

    def fields(self, profile: Profile, path: str = "") -> list[Draft]:
        """Drafts of an object's fields. path: the object's, dotted."""
        events = profile.kinds["object"]
        drafts: list[Draft] = []
        taken: set[str] = set()
        for name, child in profile.children.items():
            problem = self._unusable(name, path, taken)
            if problem:
                shown = name if child.seen >= FREQUENT * events else "<other>"
                self.undeclared.append((f"{path}.{shown}" if path else shown, problem))
                continue
            draft = self.field(name, child, events)
            if draft is not None:
                taken.add(name.lower())
                drafts.append(draft)
        if profile.crowded:
            self.undeclared.append((f"{path}.<other>" if path else "<other>", "more names than a contract can have"))
        _coordinates(drafts, profile)
        return drafts

    def field(self, name: str, profile: Profile, events: int) -> Draft | None:
        """The draft of one field, None when it has no place. events: how often its object was there."""
        kind = profile.kind
        if not kind:
            self.undeclared.append((profile.path, "always null"))
            return None
        required = profile.values == events and events >= ENOUGH_EVENTS and not profile.odd
        if kind == "object":
            draft = self._object(name, profile)
        elif kind == "array":
            draft = self._array(name, profile)
        else:
            draft = _scalar(name, profile)
        if draft is not None:
            draft.required = required
            if profile.odd:
                draft.remarks.append(
                    f"{profile.odd / profile.values:.1%} of the values are of another type: dead letters"
                )
        return draft

    def _unusable(self, name: str, path: str, taken: set[str]) -> str:
        if not _NAME.fullmatch(name):
            return "a column's name is letters, digits and underscores: have the sender rename it"
        if not path and name.lower() in RESERVED:
            return "every table has a column of this name: have the sender rename it"
        if name.lower() in taken:
            return "differs from another name in case only, which BigQuery ignores"
        return ""

    def _object(self, name: str, profile: Profile) -> Draft | None:
        if _is_map(profile):
            guess = Guess(Classification.FREE_TEXT, 0.6, "names nobody declared; anything may stand in it")
            return Draft(name, profile.path, "map", guess=guess)
        children = self.fields(profile, profile.path)
        if not children:
            self.undeclared.append((profile.path, "an object without usable fields"))
            return None
        return Draft(name, profile.path, "object", children=children)

    def _array(self, name: str, profile: Profile) -> Draft | None:
        items = profile.items
        if items is None or not items.kind:
            self.undeclared.append((profile.path, "always an empty list"))
            return None
        if items.kind == "array" or (items.kind == "object" and _is_map(items)):
            self.undeclared.append((profile.path, "lists of lists or of free-form objects have no column in BigQuery"))
            return None
        item: Draft | None
        if items.kind == "object":
            children = self.fields(items, profile.path)
            flat = [child for child in children if child.kind not in ("array", "map")]
            if not flat or len(flat) < len(children):
                self.undeclared.append((profile.path, "a list of objects that hold lists has no column in BigQuery"))
                return None
            item = Draft(name, profile.path, "object", children=flat)
        else:
            item = _scalar(name, items)
        return Draft(name, profile.path, "array", items=item)


def _is_map(profile: Profile) -> bool:
    """Whether an object's names are data: too many, or many of which each is rare."""
    if profile.crowded or not profile.children:
        return True
    shares = sorted(child.seen / profile.kinds["object"] for child in profile.children.values())
    return len(shares) >= ENOUGH_EVENTS and shares[len(shares) // 2] < 0.1


def _scalar(name: str, profile: Profile) -> Draft:
    kind = _kind(profile)
    guess = classify(profile, kind)
    draft = Draft(name, profile.path, kind, guess=guess)
    if kind == "string":
        _limit_text(draft, profile)
    elif kind in ("integer", "number"):
        _limit_number(draft, profile)
    for shape, remark in (
        (Shape.EPOCH, "a time as a number: the core takes RFC 3339 texts for times"),
        (Shape.LOCAL_TIME, "a time without a zone: the core takes RFC 3339 with a zone for times"),
    ):
        if profile.share(shape) > 0.5:
            draft.remarks.append(remark)
    return draft


def _kind(profile: Profile) -> str:
    if profile.kind != "string":
        return profile.kind
    for shape, kind in ((Shape.TIMESTAMP, "timestamp"), (Shape.DATE, "date")):
        if profile.shapes[shape] >= NEARLY_ALL * profile.kinds["string"]:
            return kind
    return "string"


def _limit_text(draft: Draft, profile: Profile) -> None:
    strings = profile.kinds["string"]
    if profile.shapes[Shape.UUID] >= NEARLY_ALL * strings:
        draft.options["format"] = "uuid"
        return
    assert draft.guess is not None
    codes: Mapping[str, int] = profile.codes or {}
    public = draft.guess.classification is Classification.PUBLIC
    coded = public and codes and profile.shapes[Shape.CODE] == strings
    open_ended = OPEN_ENDED & set(split(draft.name))
    if coded and not open_ended and len(codes) <= ENUM_VALUES and min(codes.values()) >= ENUM_TIMES:
        draft.values = tuple(sorted(codes))
        return
    if coded and all(re.fullmatch(r"[a-z][a-z0-9_]{0,63}", code) for code in codes):
        draft.options["pattern"] = "^[a-z][a-z0-9_]{0,63}$"
        return
    if profile.shortest > 0:
        draft.options["minLength"] = 1
    room = 2 * profile.longest
    draft.options["maxLength"] = next((length for length in LENGTHS if length >= room), room)


def _limit_number(draft: Draft, profile: Profile) -> None:
    words = split(draft.name)
    for names, limit in ((("latitude", "lat", "ido"), 90), (("longitude", "lon", "lng", "keido"), 180)):
        if words and words[-1] in names and -limit <= profile.lowest and profile.highest <= limit:
            draft.options.update(minimum=-limit, maximum=limit)
            return
    assert draft.guess is not None
    if draft.guess.classification is Classification.PUBLIC and profile.lowest >= 0:
        draft.options["minimum"] = 0


def _coordinates(drafts: list[Draft], profile: Profile) -> None:
    """Two fine numbers side by side in the ranges of a latitude and a longitude are a place, whatever their names."""
    fine = [
        draft
        for draft in drafts
        if draft.kind == "number"
        and (child := profile.children[draft.name]).fine > 0.8 * child.values
        and -180 <= child.lowest <= child.highest <= 180
    ]
    latitudes = [draft for draft in fine if max(map(abs, _range(profile, draft))) <= 90]
    if len(fine) < 2 or not latitudes:
        return
    for draft in fine:
        assert draft.guess is not None
        guess = Guess(Classification.LOCATION, 0.5, "fine numbers in the range of coordinates, two side by side")
        draft.guess = combined([draft.guess, guess])


def _range(profile: Profile, draft: Draft) -> tuple[float, float]:
    child = profile.children[draft.name]
    return child.lowest, child.highest
