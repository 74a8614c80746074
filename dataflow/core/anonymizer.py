"""The anonymizer: bytes in, raw and anonymized rows and rejects out."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial

import numpy as np
import polars as pl

from dataflow.contract import Contract
from dataflow.core.batch import Batch, Times
from dataflow.core.decode import Decoder
from dataflow.core.formats import Schemas, Unpacked, Unpacker
from dataflow.core.plan import EPOCH, KeyedPlan, Plan
from dataflow.core.rejects import Reject
from dataflow.core.validate import INDEX, RECEIVED, Validator
from dataflow.countries import Countries
from dataflow.keys import KeyRing, epoch_of
from dataflow.methods import Context
from dataflow.policy import Policy, check_stream

MOST_PLANS = 32
"""Key epochs whose plans are kept: what senders say of times bounds no memory."""


@dataclass(frozen=True)
class Outcome:
    """What became of one batch.

    raw, anonymized: rows of the two tables (all columns but `batch_id`), aligned with each other and with `index`.
    index: which event of the batch each row is, UInt32.
    rejects: the events that were not accepted; together with `index` they are the whole batch.
    unknown: (index in the batch, path, JSON type) of every undeclared field; never a value.
    """

    raw: pl.DataFrame
    anonymized: pl.DataFrame
    index: pl.Series
    rejects: list[Reject] = field(default_factory=list)
    unknown: list[tuple[int, str, str]] = field(default_factory=list)


class Anonymizer:
    """The core for one contract under one policy.

    country: gives the country code of each IP address, and where it is a `Countries` the city; needed only for policies
    that derive one.
    schemas: finds writer schemas; needed only for contracts whose messages are Avro or Protocol Buffers.
    Raises NorenError when a rule does not fit the contract.
    """

    def __init__(
        self,
        contract: Contract,
        policy: Policy,
        keys: KeyRing,
        country: Callable[[pl.Series], pl.Series] | None = None,
        schemas: Schemas | None = None,
    ) -> None:
        check_stream(policy, contract)
        self.contract = contract
        self.policy = policy
        self._plan = Plan(contract, policy)
        self._keys = keys
        self._country = country
        self._city = country.cities if isinstance(country, Countries) else None
        self._unpacker = Unpacker(contract, schemas)
        self._decoder = Decoder(contract)
        self._validator = Validator(contract)
        self._paths = [column.path for column in contract.columns()]
        self._keyed = lru_cache(MOST_PLANS)(self._keyed_plan)

    def unpack(
        self,
        data: Sequence[bytes],
        attributes: Sequence[Mapping[str, str]],
        received: Times,
    ) -> Unpacked:
        """The events of these messages; `.batch` of it is for `process`.

        received: when the broker accepted each, microseconds. Raises SchemasAwayError when the messages' schemas
        cannot be asked for now: try again later.
        """
        return self._unpacker.unpack(data, attributes, received)

    def process(self, batch: Batch) -> Outcome:
        """Anonymize a batch. Each event ends in `index` or in `rejects`, exactly once; nothing is raised for an
        event."""
        decoded = self._decoder.decode(batch.payloads, batch.refused)
        received = np.asarray(batch.received, np.int64)
        frame = pl.DataFrame(
            [decoded.columns[path] for path in self._paths]
            + [
                pl.Series(INDEX, decoded.kept),
                pl.Series(RECEIVED, received[decoded.kept] if decoded.rejects else received),
            ]
        )
        frame, late_rejects = self._validator.validate(frame)
        frame = frame.with_columns(frame[RECEIVED].cast(pl.Datetime("us", "UTC")))
        frames = self._by_epoch(frame)
        parts = [self._rows(part, epoch) for epoch, part in frames]
        return Outcome(
            raw=pl.concat([raw for raw, _ in parts]),
            anonymized=pl.concat([anonymized for _, anonymized in parts]),
            index=pl.concat([part[INDEX] for _, part in frames]),
            rejects=decoded.rejects + late_rejects,
            unknown=decoded.unknown,
        )

    def _by_epoch(self, frame: pl.DataFrame) -> list[tuple[int, pl.DataFrame]]:
        """(key epoch, its rows); nearly always one."""
        moments = frame[self.contract.event_time]
        first, last = moments.min(), moments.max()
        if first is None:
            return [(0, frame)]
        assert isinstance(first, datetime.datetime)
        assert isinstance(last, datetime.datetime)
        epoch = epoch_of(first)
        if epoch == epoch_of(last):
            return [(epoch, frame)]
        parts = frame.with_columns(self._plan.epoch()).partition_by(EPOCH, maintain_order=True)
        return [(part[EPOCH][0], part) for part in parts]

    def _rows(self, frame: pl.DataFrame, epoch: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """(raw, anonymized) rows of a frame of one key epoch."""
        return self._keyed(epoch).rows(frame)

    def _keyed_plan(self, epoch: int) -> KeyedPlan:
        purpose = self.policy.purpose(self.contract)
        key = self._keys.token_key(purpose, epoch)
        context = Context(key, self._country, partial(self._keys.deterministic_key, purpose, epoch), self._city)
        return KeyedPlan(self._plan, context, epoch)


__all__ = ["Anonymizer", "Outcome"]
