"""Keyed pseudonyms."""

import polars as pl

from dataflow.contract import Field, FieldType
from dataflow.methods.base import Context, Function, Method


class Token(Method, frozen=True):
    """HMAC-SHA256 under the key of the stream's purpose and the event's key epoch: 32 hex digits.

    String or integer in, string out. Not reversible, not even with the key (but with the key a guess can be checked).
    Leaks equality and frequency within a purpose and epoch: a stable pseudonym (GDPR 4(5)), never anonymous.
    Lane: pseudonymized.
    """

    name = "token"
    own_bytes = True
    accepts = frozenset({FieldType.STRING, FieldType.INTEGER})
    output = FieldType.STRING
    leaks = "which rows share a value within one purpose and key epoch"

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        return column.map_batches(self.function(field, context), return_dtype=pl.String)

    def function(self, field: Field, context: Context) -> Function:
        if field.type is FieldType.STRING:
            return context.key.tokens
        return lambda values: context.key.tokens(values.cast(pl.String))

    def reference(self, value: object, field: Field, context: Context) -> str:
        return context.key.token(str(value))
