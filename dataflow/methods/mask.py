"""Masks: part of a value stays readable."""

import re
from typing import Annotated, ClassVar

import msgspec
import polars as pl

from dataflow.contract import Classification, Field
from dataflow.methods.base import PERSONAL, TEXT, Context, Method

_HIDDEN = r"[^ ()+./-]"


class Mask(Method, frozen=True):
    """The text with its middle hidden, such as `***-****-5678`. String in, string out.

    prefix, suffix: characters that stay at the start (0 to 6) and the end (0 to 4); of a card PCI DSS 3.4.1 allows no
    more than the first six and the last four. A text that is not at least twice as long as what would stay is hidden
    whole. character: what stands for each hidden one, one character. separators: whether blanks, hyphens, dots,
    slashes, brackets and plus signs stay in the hidden part.
    Not reversible. Leaks what stays, and the length: the last four digits of a telephone leave few people of a small
    crowd. Lane: pseudonymized.
    """

    name = "mask"
    accepts = TEXT
    leaks = "the characters that stay, and the length"
    unfit_for = PERSONAL - {Classification.IDENTIFIER, Classification.SENSITIVE}
    scales: ClassVar = {"prefix": "more", "suffix": "more"}
    prefix: Annotated[int, msgspec.Meta(ge=0, le=6)] = 0
    suffix: Annotated[int, msgspec.Meta(ge=0, le=4)] = 0
    character: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] = "*"
    separators: bool = True

    def effect(self) -> str:
        return f"the first {self.prefix} and last {self.suffix} characters stay"

    @property
    def _pattern(self) -> str:
        return _HIDDEN if self.separators else r"(?s)."

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        stay = self.prefix + self.suffix
        filler = self.character.replace("$", "$$")
        if not stay:
            return column.str.replace_all(self._pattern, filler)
        length = column.str.len_chars().cast(pl.Int64)
        middle = column.str.slice(self.prefix, (length - stay).clip(0)).str.replace_all(self._pattern, filler)
        whole = column.str.replace_all(self._pattern, filler)
        parts = [column.str.head(self.prefix), middle, column.str.tail(self.suffix)]
        return pl.when(length >= 2 * stay).then(pl.concat_str(parts)).otherwise(whole)

    def reference(self, value: object, field: Field, context: Context) -> str:
        text = str(value)
        start, end = self.prefix, len(text) - self.suffix
        if len(text) < 2 * (self.prefix + self.suffix):
            start, end = 0, len(text)
        hidden = re.sub(self._pattern, lambda _: self.character, text[start:end])
        return text[:start] + hidden + text[end:]
