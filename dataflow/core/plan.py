"""The plan of one stream: contract and policy compiled into columnar expressions.

Inside the core a frame is flat, one column a leaf, named by its dotted path; structs are made on the way out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import polars as pl

from dataflow.contract import Contract, Field, FieldType
from dataflow.core.arrays import changed
from dataflow.core.validate import RECEIVED
from dataflow.keys import TokenKey, epoch_expression
from dataflow.methods import Context
from dataflow.methods.token import Token
from dataflow.policy import Policy
from dataflow.schemas import Column, anonymized_table, raw_table

TOKEN, EPOCH = "#token", "#epoch"

UNIT_SEPARATOR = "\x1f"
"""Between the parts of an identity of several fields."""


@dataclass(frozen=True)
class Plan:
    """What the anonymizer does to a flat, validated frame of one key epoch."""

    contract: Contract
    policy: Policy

    def epoch(self) -> pl.Expr:
        return epoch_expression(pl.col(self.contract.event_time)).alias(EPOCH)

    def token(self, key: TokenKey) -> pl.Expr:
        """The event's token: the keyed token of its identity."""
        leaves = {leaf.path: leaf for leaf in self.contract.leaves()}
        parts = [
            pl.col(path) if leaves[path].type is FieldType.STRING else pl.col(path).cast(pl.String)
            for path in self.contract.identity
        ]
        text = parts[0] if len(parts) == 1 else pl.concat_str(parts, separator=UNIT_SEPARATOR)
        return key.expression(text).alias(TOKEN)

    def raw(self) -> list[pl.Expr]:
        """The raw table's columns, but for `batch_id`."""
        table = raw_table(self.contract)
        values = {
            column.path: pl.col(column.path).fill_null([]) if column.items else pl.col(column.path)
            for column in self.contract.columns()
        }
        fields = [_packed(column, values) for column in table.columns[7:]]
        return [*self._own(pl.col(self.contract.event_time), _received()), *fields]

    def values(self, context: Context) -> list[pl.Expr]:
        """The anonymized values, flat, under their paths; `anonymized` makes rows of them.

        Each is computed here once: packing asks for a value more than once.
        """
        context = replace(context, subject=self._subject(context.key))
        sources = {column.path: column for column in self.contract.columns()}
        values = {
            path: value
            for path, column in sources.items()
            if (value := changed(pl.col(path), column, partial(self._value, context=context))) is not None
        }
        for derived in self.policy.stream(self.contract).derive:
            source = sources[derived.source]
            value = derived.method.expression(pl.col(source.path), source, context)
            assert value is not None
            values[derived.name] = value
        time = sources[self.contract.event_time]
        method = self.policy.method(self.contract, time)
        received = method.expression(_received(), time, context)
        assert received is not None
        return [
            pl.col(TOKEN),
            pl.col(EPOCH),
            received.alias(RECEIVED),
            *(value.alias(path) for path, value in values.items()),
        ]

    def anonymized(self) -> list[pl.Expr]:
        """The anonymized table's columns, but for `batch_id`, from a frame of `values`."""
        table = anonymized_table(self.contract, self.policy)
        leaves = [leaf for column in table.columns[7:] for leaf in _whole(column)]
        values = {leaf.path: pl.col(leaf.path) for leaf in leaves}
        fields = [_packed(column, values) for column in table.columns[7:]]
        return [*self._own(pl.col(self.contract.event_time), pl.col(RECEIVED)), *fields]

    def shared(self) -> list[str]:
        """Which of `values` may share memory with the values that came in."""
        scalars = [column for column in self.contract.columns() if column.items is None]
        made = {column.path for column in scalars if self.policy.method(self.contract, column).own_bytes}
        made |= {derived.name for derived in self.policy.stream(self.contract).derive if derived.method.own_bytes}
        table = anonymized_table(self.contract, self.policy)
        return [leaf.path for column in table.columns[7:] for leaf in _whole(column) if leaf.path not in made]

    def _subject(self, key: TokenKey) -> pl.Expr | None:
        """The token of the person that an event is about, null where the event does not say."""
        path = self.contract.subject
        return None if path is None else key.expression(pl.col(path).cast(pl.String))

    def _own(self, event_time: pl.Expr, receive_time: pl.Expr) -> list[pl.Expr]:
        return [
            pl.col(TOKEN).alias("event_token"),
            event_time.alias("event_time"),
            receive_time.alias("receive_time"),
            pl.col(EPOCH).alias("key_epoch"),
            pl.lit(self.contract.version).alias("contract_version"),
            pl.lit(self.policy.version).alias("policy_version"),
        ]

    def _value(self, value: pl.Expr, leaf: Field, context: Context) -> pl.Expr | None:
        method = self.policy.method(self.contract, leaf)
        if isinstance(method, Token) and (leaf.path,) == self.contract.identity:
            return pl.col(TOKEN)  # made already
        return method.expression(value, leaf, context)


def _received() -> pl.Expr:
    return pl.col(RECEIVED).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _whole(column: Column) -> Iterator[Column]:
    """The columns that are one value an event: scalars and arrays."""
    if not column.children or column.repeated:
        yield column
        return
    for child in column.children:
        yield from _whole(child)


def _packed(column: Column, values: dict[str, pl.Expr]) -> pl.Expr:
    """A column's expression; an object all of whose parts are null is null itself, unless it is required."""
    if not column.children or column.repeated:
        return values[column.path].alias(column.name)
    parts = [_packed(child, values) for child in column.children]
    packed = pl.struct(parts)
    if not column.required:
        packed = pl.when(pl.any_horizontal(part.is_not_null() for part in parts)).then(packed)
    return packed.alias(column.name)
