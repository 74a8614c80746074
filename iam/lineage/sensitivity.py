"""What a column tells about people: one scale for contracts, policy, dbt's YAML and the gate of a pull request.

A contract says what a field is; a method takes some of it away. What is left is a word of this scale. In dbt a column
declares its word as `config: {meta: {classification: location}}`.
"""

from enum import StrEnum
from typing import TYPE_CHECKING

from iam.lineage.value import Passage

if TYPE_CHECKING:
    from dataflow.contract import Classification
    from dataflow.methods import Method


class Sensitivity(StrEnum):
    """In rising order. The contracts' classifications, and two that only exist behind the curtain."""

    PUBLIC = "public"
    INTERNAL = "internal"
    COUNT = "count"
    """How many, not which."""
    QUASI_IDENTIFIER = "quasi_identifier"
    LOCATION = "location"
    NETWORK = "network"
    PSEUDONYM = "pseudonym"
    """A keyed token or ciphertext in an identifier's place."""
    FREE_TEXT = "free_text"
    SENSITIVE = "sensitive"
    IDENTIFIER = "identifier"
    """An identifier in clear: never behind the curtain."""

    @property
    def rank(self) -> int:
        return _ORDER[self]


_ORDER = {sensitivity: rank for rank, sensitivity in enumerate(Sensitivity)}

PERSONAL = Sensitivity.QUASI_IDENTIFIER
"""From here on a column says something of single people."""

KEYED = frozenset({"token", "encrypt"})
"""Methods that put a pseudonym in a value's place."""


def after(method: "Method", classification: "Classification | None") -> Sensitivity:
    """What a method leaves of a field. A field that nobody classified counts as sensitive."""
    from dataflow.methods.strength import NOTHING

    if method.leaks == NOTHING or method.name == "constant":
        return Sensitivity.PUBLIC
    if method.name in KEYED:
        return Sensitivity.PSEUDONYM
    if classification is None:
        return Sensitivity.SENSITIVE
    lossy = method.name != "keep" and not method.reversible and method.leaks
    if classification.value == Sensitivity.IDENTIFIER.value and lossy:
        return Sensitivity.QUASI_IDENTIFIER
    return Sensitivity(classification.value)


def through(sensitivity: Sensitivity, passage: Passage) -> Sensitivity:
    """What SQL leaves of a column: only counting takes something away."""
    if passage is Passage.DECRYPTED:
        return Sensitivity.IDENTIFIER
    return Sensitivity.COUNT if passage is Passage.COUNTED else sensitivity


def highest(*found: Sensitivity) -> Sensitivity:
    """The most telling of them; `public` of none."""
    return max(found, key=lambda sensitivity: sensitivity.rank, default=Sensitivity.PUBLIC)
