"""The plan of one stream: contract and policy compiled into functions of columns.

Inside the core a frame is flat, one column a leaf, named by its dotted path; structs are made on the way out. Where a
method is a function of its column it is called as one: polars plans a query around every expression, which costs a
small batch more than the work. All other methods are one query together.
"""

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from dataflow.contract import Contract, Field
from dataflow.core.apart import apart
from dataflow.core.arrays import changed
from dataflow.core.packing import Packing
from dataflow.core.validate import INDEX, RECEIVED
from dataflow.keys import epoch_expression
from dataflow.methods import Context, Method
from dataflow.methods.base import Function
from dataflow.methods.token import Token
from dataflow.policy import Policy
from dataflow.schemas import anonymized_table, raw_table

EPOCH = "#epoch"

UNIT_SEPARATOR = "\x1f"
"""Between the parts of an identity of several fields."""

_OWN = 7
"""Columns of the tables' own, `batch_id` first; what a contract declares comes behind."""


class Plan:
    """What the anonymizer does to a flat, validated frame, whatever its keys."""

    def __init__(self, contract: Contract, policy: Policy) -> None:
        self.contract = contract
        self.policy = policy
        self.raw = Packing(raw_table(contract).columns[_OWN:])
        self.anonymized = Packing(anonymized_table(contract, policy).columns[_OWN:])
        self.shared = frozenset(self._shared())

    def epoch(self) -> pl.Expr:
        return epoch_expression(pl.col(self.contract.event_time)).alias(EPOCH)

    def _shared(self) -> Iterator[str]:
        """Which anonymized values may share memory with the values that came in."""
        scalars = [column for column in self.contract.columns() if column.items is None]
        made = {column.path for column in scalars if self.policy.method(self.contract, column).own_bytes}
        made |= {derived.name for derived in self.policy.stream(self.contract).derive if derived.method.own_bytes}
        return (leaf.path for leaf in self.anonymized.leaves if leaf.path not in made)


class KeyedPlan:
    """The plan for rows of one key epoch. To make one takes as long as a small batch; threads may share it."""

    def __init__(self, plan: Plan, context: Context, epoch: int) -> None:
        contract, policy = plan.contract, plan.policy
        self._plan = plan
        self._key = context.key
        subject = None if contract.subject is None else self._key.expression(pl.col(contract.subject).cast(pl.String))
        self._context = replace(context, subject=subject)
        self._functions: list[tuple[str, str, Function]] = []
        """(path or name of a value, path of its source, what makes it)."""
        self._expressions: list[pl.Expr] = [pl.col(INDEX)]
        """All other values; with a column as long as the frame, for there are methods that give one value for all."""
        self._tokens: list[str] = []
        """Paths of the values that are the event's token."""
        columns = {column.path: column for column in contract.columns()}
        for path, column in columns.items():
            self._add(path, column)
        for derived in policy.stream(contract).derive:
            self._add_made(derived.name, derived.source, columns[derived.source], derived.method)
        time = columns[contract.event_time]
        self._add_made(RECEIVED, RECEIVED, time, policy.method(contract, time))
        self._own = [
            pl.Series("key_epoch", [epoch], pl.Int64()),
            pl.Series("contract_version", [contract.version], pl.String()),
            pl.Series("policy_version", [policy.version], pl.String()),
        ]

    def rows(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """(raw, anonymized) rows, all columns but `batch_id`. frame: with times typed."""
        plan, token = self._plan, self._token(frame)
        own = [column.new_from_index(0, frame.height) for column in self._own]
        raw = {leaf.path: _no_null(frame[leaf.path]) if leaf.repeated else frame[leaf.path] for leaf in plan.raw.leaves}
        values = self._values(frame, token)
        for leaf in plan.anonymized.leaves:
            if leaf.path in plan.shared:
                values[leaf.path] = apart(values[leaf.path])
        time = plan.contract.event_time
        return (
            _table(token, frame[time], frame[RECEIVED], own, plan.raw.packed(raw)),
            _table(token, values[time], values[RECEIVED], own, plan.anonymized.packed(values)),
        )

    def _add(self, path: str, column: Field) -> None:
        policy, contract = self._plan.policy, self._plan.contract
        if column.items is not None:
            value = changed(pl.col(path), column, self._expression)
            if value is not None:
                self._expressions.append(value.alias(path))
        elif isinstance(method := policy.method(contract, column), Token) and (path,) == contract.identity:
            self._tokens.append(path)  # made already
        else:
            self._add_made(path, path, column, method)

    def _add_made(self, name: str, source: str, column: Field, method: Method) -> None:
        """A value that a method makes of a whole column. column: what the contract says of the source."""
        function = _function(method, column, self._context)
        if function is not None:
            self._functions.append((name, source, function))
        elif (value := method.expression(pl.col(source), column, self._context)) is not None:
            self._expressions.append(value.alias(name))

    def _expression(self, value: pl.Expr, leaf: Field) -> pl.Expr | None:
        return self._plan.policy.method(self._plan.contract, leaf).expression(value, leaf, self._context)

    def _values(self, frame: pl.DataFrame, token: pl.Series) -> dict[str, pl.Series]:
        """The anonymized values, flat, by path or name."""
        values = {name: function(frame[source]) for name, source, function in self._functions}
        values |= dict.fromkeys(self._tokens, token)
        if len(self._expressions) > 1:
            made = frame.select_seq(self._expressions)
            values |= {column.name: column for column in made.get_columns()}
        return values

    def _token(self, frame: pl.DataFrame) -> pl.Series:
        """The event's token: the keyed token of its identity."""
        parts = [frame[path].cast(pl.String) for path in self._plan.contract.identity]
        if len(parts) == 1:
            return self._key.tokens(parts[0])
        text = pl.concat_str(pl.all(), separator=UNIT_SEPARATOR)
        return self._key.tokens(pl.DataFrame(parts).select(text).to_series())


def _function(method: Method, column: Field, context: Context) -> Function | None:
    """The method's function, unless a class below the one that has it says something else in `expression`."""
    kinds = type(method).__mro__
    first = next(kind for kind in kinds if "function" in vars(kind) or "expression" in vars(kind))
    return method.function(column, context) if "function" in vars(first) else None


def _table(
    token: pl.Series, event_time: pl.Series, receive_time: pl.Series, own: list[pl.Series], fields: list[pl.Series]
) -> pl.DataFrame:
    times = [event_time.alias("event_time"), receive_time.alias("receive_time")]
    return pl.DataFrame([token.alias("event_token"), *times, *own, *fields])


def _no_null(array: pl.Series) -> pl.Series:
    """No array is an empty array: BigQuery knows no other."""
    return array.fill_null([]) if array.null_count() else array
