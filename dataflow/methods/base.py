"""What a method is: a rule's parameters, checked when the policy is read, and a columnar expression."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import msgspec
import polars as pl

from dataflow.column_type import ColumnType
from dataflow.contract import Classification, Field, FieldType
from dataflow.keys import DeterministicKey, TokenKey

type Function = Callable[[pl.Series], pl.Series]
"""Of a column's values, null for null; the series that it is given is its own."""


@dataclass(frozen=True)
class Context:
    """What a method may use beside the column.

    key: the token key of the stream's purpose in the batch's epoch.
    country: the country code of an IP address as text, or None when no MaxMind-format file is configured.
    deterministic: opens the key of the same purpose and epoch that encrypts reversibly; made when first asked for.
    city: the city's name, like the country.
    column: the expression of another field of the event, by its path.
    subject: the token of the person that the event is about, or None where the contract does not say who that is.
    row, person: for `reference` only, the same for one event: its values by path, and its person's token.
    """

    key: TokenKey
    country: Callable[[pl.Series], pl.Series] | None = None
    deterministic: Callable[[], DeterministicKey] | None = None
    city: Callable[[pl.Series], pl.Series] | None = None
    column: Callable[[str], pl.Expr] = pl.col
    subject: pl.Expr | None = None
    row: Mapping[str, object] = dataclasses.field(default_factory=dict)
    person: str | None = None


class Method(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all methods; a subclass's fields are the rule's parameters.

    Its docstring says what goes in and comes out, the parameters with their units, whether it is reversible, what it
    leaks and its legal lane.

    accepts: the field types that it takes.
    output: the type it gives, None for the same as the input; a column type where no field has such a type (BYTES).
    reversible: whether someone with the key gets the value back.
    leaks: what an attacker with the output alone still learns.
    own_bytes: whether its texts are made anew, so that they share no memory with the values that came in.
    lane: `pseudonymized`, or `anonymous` where the output may also enter the anonymous lane.
    personal: whether it needs to know whose event it is: the contract's `subject`.
    unfit_for: classifications that it may not be chosen for, since a whole value may come through it.
    scales: parameter -> which of its values let more through: `more` or `less` of a number, or its values in order, the
    one that tells least first. A change of a parameter that has none counts as weaker, to be reviewed.
    """

    name: ClassVar[str]
    accepts: ClassVar[frozenset[FieldType]]
    output: ClassVar[FieldType | ColumnType | None] = None
    reversible: ClassVar[bool] = False
    leaks: ClassVar[str] = ""
    own_bytes: ClassVar[bool] = False
    lane: ClassVar[str] = "pseudonymized"
    personal: ClassVar[bool] = False
    unfit_for: ClassVar[frozenset[Classification]] = frozenset()
    scales: ClassVar[Mapping[str, Literal["more", "less"] | tuple[str, ...]]] = {}

    def effect(self) -> str:
        """What these parameters mean to a reader, e.g. `a grid of 1.1 km`; empty where they speak for themselves."""
        return ""

    def fault(self, field: Field) -> str:
        """Why these parameters do not fit a field of an accepted type, in a clause with the way out; empty when they
        do."""
        return ""

    def uses(self) -> tuple[str, ...]:
        """Paths of the other fields of the event that the rule reads."""
        return ()

    def files(self) -> tuple[str, ...]:
        """Files that the rule reads, relative to the policy's directory."""
        return ()

    def bound(self, directory: Path) -> "Method":
        """The rule with its files read from the policy's directory.

        Raises NorenError when one cannot be read.
        """
        return self

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr | None:
        """The anonymized column (null stays null), or None when the column goes."""
        raise NotImplementedError

    def function(self, field: Field, context: Context) -> Function | None:
        """The same as a function, where the method is one: a small batch is through it before polars has planned an
        expression around it. None: `expression` alone says it."""
        return None

    def reference(self, value: object, field: Field, context: Context) -> object:
        """The same for one value that is not null, in plain Python: what the columnar path is tested against."""
        raise NotImplementedError


PERSONAL = frozenset(
    {
        Classification.IDENTIFIER,
        Classification.LOCATION,
        Classification.NETWORK,
        Classification.FREE_TEXT,
        Classification.SENSITIVE,
    }
)
"""Classifications whose values never leave the curtain as they are."""

TEXT = frozenset({FieldType.STRING})
NUMERIC = frozenset({FieldType.INTEGER, FieldType.NUMBER})
ANY = frozenset(FieldType) - {FieldType.OBJECT}
