"""Candidates from rows of a bounded source."""

import dataclasses
from collections.abc import Sequence

from dataflow.candidates import Preparer
from dataflow.contract import Contract, Format
from dataflow.core import Unpacked
from dataflow.sources.bounded import Row
from dataflow.sources.message import Message

ENVELOPES = (Format.LOG_ENTRY, Format.DEBEZIUM)
"""Formats that files carry as well: a line is a log entry, or a change event. Of others they hold the event itself."""


class Imported(Message, frozen=True, gc=False):
    """A row as a message. row: what it is made of."""

    row: Row


class RowPreparer(Preparer):
    """Makes candidates from imported rows; what the source could not make an event of is refused for its reason."""

    def unpack(self, messages: Sequence[Message]) -> Unpacked:
        unpacked = super().unpack(messages)
        refused = {
            event: message.row.refusal
            for event, number in enumerate(unpacked.message)
            if isinstance(message := messages[number], Imported) and message.row.refusal is not None
        }
        if not refused:
            return unpacked
        # a refused event is empty: its own bytes stay in `payloads`, for the dead letter
        events = [b"" if index in refused else data for index, data in enumerate(unpacked.batch.payloads)]
        both = {**unpacked.batch.refused, **refused}
        batch = dataclasses.replace(unpacked.batch, payloads=events, refused=both)
        return dataclasses.replace(unpacked, batch=batch)


def reader_of(contract: Contract, *, mapped: bool = False) -> Contract:
    """The contract as a bounded source's rows are read: events as JSON, whatever format messages have.

    mapped: the rows are events that a mapping made.
    """
    if contract.format in ENVELOPES and not mapped:
        return contract
    return dataclasses.replace(contract, format=Format.JSON)


def imported(rows: Sequence[Row], received: int) -> list[Message]:
    """received: microseconds; when the import began, the same for all rows that were not received before."""
    return [
        Imported(
            row.data,
            row.attributes,
            row.label,
            row.position,
            received if row.received is None else row.received,
            "",
            row,
        )
        for row in rows
    ]
