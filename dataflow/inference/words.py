"""What a field's name says about its classification: English, romanized Japanese and Japanese words.

A name is split into words (`deviceModel`, `device-model` and `device_model` are the same) and looked up; a dictionary
entry is one or more words in a row. A name that is a generic word (`id`, `name`) is read with its parent's. A name
that says nothing gets `quasi_identifier`, which the policy of the house drops: deny by default.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from dataflow.contract import Classification

STRICTNESS = (
    Classification.PUBLIC,
    Classification.INTERNAL,
    Classification.QUASI_IDENTIFIER,
    Classification.NETWORK,
    Classification.LOCATION,
    Classification.IDENTIFIER,
    Classification.FREE_TEXT,
    Classification.SENSITIVE,
)
"""From the one that reveals most when wrongly given to the one that reveals least."""


@dataclass(frozen=True)
class Guess:
    """A proposed classification. confidence: 0 to 1; reason: without any value."""

    classification: Classification
    confidence: float
    reason: str

    def __str__(self) -> str:
        return f"{self.confidence:.0%}: {self.reason}"


UNKNOWN = Guess(Classification.QUASI_IDENTIFIER, 0.3, "its name says nothing; the strict choice")

SURE = 0.75
"""Below this confidence somebody has to look at a proposal, and nothing is proposed to be public."""

DICTIONARY = Path(__file__).with_name("dictionary.yaml")

GENERIC = frozenset(
    {"id", "name", "type", "value", "code", "no", "number", "key", "version", "model", "title", "text", "address"}
)
"""Words that say little without the object that they are of."""

PEOPLE = frozenset(
    {"user", "account", "member", "customer", "person", "patient", "employee", "student", "author", "owner", "contact"}
    | {"sender", "recipient", "kaiin", "kokyaku", "profile"}
)

BARE_IDS = frozenset({"id", "uuid", "guid"})


_OF_TEXT = frozenset({Classification.NETWORK, Classification.FREE_TEXT})
_NO_TIME = _OF_TEXT | {Classification.IDENTIFIER, Classification.LOCATION, Classification.PUBLIC}

CANNOT = {
    "timestamp": _NO_TIME,
    "date": _NO_TIME,
    "boolean": _OF_TEXT | {Classification.IDENTIFIER, Classification.LOCATION},
    "number": _OF_TEXT | {Classification.IDENTIFIER},
    "integer": _OF_TEXT,
}
"""What a value of a type cannot be, whatever its name: a time is no person's name, a truth value no address."""


def by_name(path: str, kind: str = "") -> Guess:
    """The proposal for a field of which only the dotted `path` is known, and the logical type where it is."""
    return strict(hint(path, kind))


def strict(guess: Guess) -> Guess:
    """The guess, or the strict choice instead of an unsure `public`."""
    if guess.classification is Classification.PUBLIC and guess.confidence < SURE:
        return Guess(Classification.QUASI_IDENTIFIER, 0.4, f"{guess.reason}, but unsure; the strict choice")
    return guess


def hint(path: str, kind: str = "") -> Guess:
    """What the name says, before it is weighed with anything else."""
    name, parent = path.rpartition(".")[2], path.rpartition(".")[0].rpartition(".")[2]
    words, around = split(name), split(parent)
    if words and set(words) <= GENERIC and around:
        found = _best([*around, *words])
        if around[-1] in PEOPLE and words[-1] == "name":
            found = [Guess(Classification.IDENTIFIER, 0.95, "a person's name")]
    else:
        found = _best(words)
    found += _written(name)
    if not found and around:
        inherited = _best(around) + _written(parent)
        found = [
            Guess(guess.classification, guess.confidence * 0.7, f"it is part of {guess.reason}") for guess in inherited
        ]
    if not found and words and words[-1] in BARE_IDS:
        found = [Guess(Classification.IDENTIFIER, 0.7, "an id")]
    if not found:
        return UNKNOWN
    best = max(found, key=lambda guess: (guess.confidence, STRICTNESS.index(guess.classification)))
    return _fitting(Guess(best.classification, best.confidence, f"by its name {best.reason}"), kind)


def _fitting(guess: Guess, kind: str) -> Guess:
    """The guess, or the strict choice where a value of the type cannot be that."""
    if guess.classification not in CANNOT.get(kind, frozenset()):
        return guess
    if kind in ("timestamp", "date"):
        return Guess(Classification.QUASI_IDENTIFIER, 0.8, "when something happened")
    return Guess(Classification.QUASI_IDENTIFIER, 0.4, f"of type {kind}; the strict choice")


def split(name: str) -> list[str]:
    """The words of a name: `deviceModel`, `device-model`, `HTTPStatus` -> [`device`, `model`], [`http`, `status`]."""
    spaced = re.sub(r"([a-z0-9])([A-Z])|([A-Z]+)([A-Z][a-z])", r"\1\3 \2\4", name)
    return [word.lower() for word in re.split(r"[^0-9A-Za-z]+", spaced) if word]


@cache
def _dictionary() -> dict[str, Guess]:
    """joined words -> guess; where one stands twice, the stricter."""
    entries = yaml.load(DICTIONARY.read_text("utf-8"), Loader=yaml.CSafeLoader)
    return {
        word: Guess(classification, entry["confidence"], entry["reason"])
        for classification in STRICTNESS
        for entry in entries[classification]
        for word in entry["words"]
    }


def _best(words: list[str]) -> list[Guess]:
    """Entries for the words: all of them, joined or not, else their longest runs, less sure, those at the end first."""
    dictionary = _dictionary()
    for whole in ("_".join(words), "".join(words)):
        if whole in dictionary:
            return [dictionary[whole]]
    for length in range(len(words) - 1, 0, -1):
        runs = [(start, "_".join(words[start : start + length])) for start in range(len(words) - length, -1, -1)]
        found = [
            _weaker(dictionary[run], 0.9 if start + length == len(words) else 0.75)
            for start, run in runs
            if run in dictionary
        ]
        if found:
            return found
    return []


def _weaker(guess: Guess, factor: float) -> Guess:
    return Guess(guess.classification, guess.confidence * factor, guess.reason)


def _written(name: str) -> list[Guess]:
    """Entries whose Japanese writing stands anywhere in the name: there are no spaces between its words."""
    if name.isascii():
        return []
    return [guess for word, guess in _dictionary().items() if not word.isascii() and word in name]
