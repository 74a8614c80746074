"""A proposed classification for a profiled field: from its name and from what its values look like.

Where name and values disagree, or nothing is sure, the stricter one is proposed: a person can loosen it in the review.
Reasons speak of shares and shapes, never of a value.
"""

from collections.abc import Iterator

from dataflow.contract import Classification
from dataflow.inference.profile import Profile
from dataflow.inference.shapes import Shape
from dataflow.inference.words import STRICTNESS, SURE, Guess, hint, strict

ENOUGH = 50
"""Values from which on a share of distinct ones says something."""

PLAUSIBLE = 0.5
"""A stricter classification is taken from this confidence on, however sure the looser one is."""

MOSTLY: dict[Shape, tuple[Classification, float]] = {
    Shape.CARD: (Classification.SENSITIVE, 0.95),
    Shape.MY_NUMBER: (Classification.SENSITIVE, 0.9),
    Shape.EMAIL: (Classification.IDENTIFIER, 0.98),
    Shape.HAS_EMAIL: (Classification.FREE_TEXT, 0.9),
    Shape.PHONE: (Classification.IDENTIFIER, 0.9),
    Shape.MAC: (Classification.IDENTIFIER, 0.95),
    Shape.UUID: (Classification.IDENTIFIER, 0.9),
    Shape.IP: (Classification.NETWORK, 0.97),
    Shape.COORDINATES: (Classification.LOCATION, 0.95),
    Shape.URL: (Classification.FREE_TEXT, 0.85),
    Shape.USER_AGENT: (Classification.QUASI_IDENTIFIER, 0.9),
    Shape.EPOCH: (Classification.QUASI_IDENTIFIER, 0.7),
}
"""What a field is when most of its values have a shape."""

TELLING = (Shape.CARD, Shape.MY_NUMBER, Shape.EMAIL, Shape.HAS_EMAIL, Shape.PHONE)
"""Shapes of which a few in a hundred values make a field free text: somebody writes such things there."""


def classify(profile: Profile, kind: str) -> Guess:
    """The proposal for a field of a logical type."""
    named = hint(profile.path, kind)
    guesses = [named, *by_values(profile, kind)]
    if max(guess.confidence for guess in guesses) < SURE:
        guesses += by_variety(profile, kind)
        if named.classification is Classification.PUBLIC and named.confidence > 0.6 and _coded(profile):
            guesses.append(Guess(Classification.PUBLIC, 0.5, "few short codes"))
    return strict(combined(guesses))


def _coded(profile: Profile) -> bool:
    """Whether all values are a few short codes. It makes a field that its name calls public surer, no other one."""
    return bool(profile.codes) and profile.values >= ENOUGH and profile.shapes[Shape.CODE] == profile.kinds["string"]


def combined(guesses: list[Guess]) -> Guess:
    """The strictest of the plausible guesses; those that agree make each other surer."""
    plausible = [guess for guess in guesses if guess.confidence >= PLAUSIBLE]
    if not plausible:
        return max(guesses, key=lambda guess: (guess.confidence, STRICTNESS.index(guess.classification)))
    strictest = max(plausible, key=lambda guess: STRICTNESS.index(guess.classification)).classification
    agreeing = [guess for guess in plausible if guess.classification is strictest]
    doubt = 1.0
    for guess in agreeing:
        doubt *= 1 - guess.confidence
    return Guess(strictest, min(1 - doubt, 0.99), "; ".join(guess.reason for guess in agreeing))


def by_values(profile: Profile, kind: str) -> Iterator[Guess]:
    """What the values suggest; nothing where they say nothing."""
    if kind in ("string", "integer"):
        yield from _by_shape(profile)
    if kind == "string":
        yield from _by_words(profile)


def _by_shape(profile: Profile) -> Iterator[Guess]:
    for shape, (classification, confidence) in MOSTLY.items():
        share = profile.share(shape)
        if share > 0.5:
            yield Guess(classification, confidence * min(1.0, share + 0.1), f"{share:.0%} of the values: {shape}")
    some = sum(profile.share(shape) for shape in TELLING)
    if 0.005 < some <= 0.5:
        yield Guess(Classification.FREE_TEXT, 0.7, f"{some:.1%} of the values hold an e-mail address or a long number")


def _by_words(profile: Profile) -> Iterator[Guess]:
    prose = profile.share(Shape.PROSE)
    varied = profile.distinct >= 0.05 and (profile.hashes is None or len(profile.hashes) >= 10)
    if prose > 0.1 and varied:
        yield Guess(Classification.FREE_TEXT, min(0.5 + prose / 2, 0.95), f"{prose:.0%} of the values: {Shape.PROSE}")
    random = profile.share(Shape.HEX)
    if random > 0.5 and profile.distinct > 0.01:
        yield Guess(Classification.IDENTIFIER, 0.8, f"{random:.0%} of the values: {Shape.HEX}")


def by_variety(profile: Profile, kind: str) -> Iterator[Guess]:
    """What the number of distinct values suggests. Weak: times and amounts differ too."""
    if kind not in ("string", "integer") or profile.values < ENOUGH:
        return
    share = profile.distinct
    if share >= 0.5 and kind == "string":
        yield Guess(Classification.IDENTIFIER, 0.6, f"{share:.0%} of the values are distinct")
    elif share >= 0.9 and profile.lowest >= 0:
        yield Guess(Classification.IDENTIFIER, 0.5, f"{share:.0%} of the values are distinct")
    elif share >= 0.02 and (profile.hashes is None or len(profile.hashes) >= ENOUGH) and kind == "string":
        yield Guess(Classification.QUASI_IDENTIFIER, 0.5, "many distinct values")
