"""Asking `dead_letter.events`: which letters there are, one of them, how many by reason."""

import dataclasses
import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.api_core import exceptions as api
from google.cloud import bigquery

from dataflow.errors import NorenError
from dataflow.schemas import dead_letter_table, replay_table

ID = re.compile(r"[0-9a-f]{8,32}")
"""A dead letter's token, or enough of its beginning."""

ENVELOPE = tuple(name for name in dead_letter_table().polars() if name not in ("sealed", "batch_id"))
"""Columns that say nothing that is only sealed."""


@dataclass(frozen=True)
class Filter:
    """Which dead letters are meant; an empty part lets all pass.

    since, until: bounds of when the broker received the message, the second one excluded.
    replayed: whether they were published again already; None for both.
    """

    streams: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    replayed: bool | None = None


@dataclass(frozen=True)
class Envelope:
    """One dead letter as it may be shown: the columns of `dead_letter.events` but for what is sealed.

    received: when the broker accepted the message. attributes: those that the policy allows in clear.
    payload_redacted: declared names and types as JSON text; None where the payload has no shape.
    replayed: when it was last published again, None when it never was.
    """

    dead_token: str
    stream: str
    reason: str
    field: str
    message: str
    contract_version: str
    policy_version: str
    received: datetime.datetime
    message_id: str
    payload_bytes: int
    attributes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    payload_redacted: str | None = None
    replayed: datetime.datetime | None = None


class DeadLetters:
    """The dead letters of a project. Where there is no table yet there are none."""

    def __init__(self, client: bigquery.Client) -> None:
        self._client = client
        self._events = f"`{client.project}.{dead_letter_table().id}`"
        self._replays = f"`{client.project}.{replay_table().id}`"

    def counts(self, wanted: Filter) -> dict[tuple[str, str], int]:
        """(stream, reason) -> how many, the most frequent first."""
        rows = self._ask("stream, reason, COUNT(*) AS letters", wanted, "GROUP BY 1, 2 ORDER BY letters DESC, 1, 2")
        return {(row["stream"], row["reason"]): row["letters"] for row in rows}

    def listing(self, wanted: Filter, limit: int) -> list[Envelope]:
        """The newest of them, newest first."""
        columns = ", ".join(f"e.{name}" for name in ENVELOPE)
        rows = self._ask(f"{columns}, r.replay_time", wanted, f"ORDER BY e.receive_time DESC, 1 LIMIT {int(limit)}")
        return [_envelope(row) for row in rows]

    def get(self, id: str) -> tuple[Envelope, bytes]:
        """(envelope, sealed bytes) of the letter whose token is `id` or begins with it.

        Raises NorenError when there is none, more than one, or no such id can be.
        """
        if not ID.fullmatch(id):
            raise NorenError(f"{id}: no id of a dead letter: give 8 to 32 of the digits that noren dlq list shows.")
        columns = ", ".join(f"e.{name}" for name in ENVELOPE)
        rows = list(self._ask(f"{columns}, r.replay_time, e.sealed", Filter(), "LIMIT 2", id))
        if not rows:
            raise NorenError(f"{id}: there is no such dead letter; they are kept for 14 days, see noren dlq list.")
        if len(rows) > 1:
            raise NorenError(f"{id}: several dead letters begin so; give more digits.")
        return _envelope(rows[0]), bytes(rows[0]["sealed"])

    def sealed(self, wanted: Filter, limit: int | None = None) -> Iterator[tuple[Envelope, bytes]]:
        """(envelope, sealed bytes) of each, oldest first: as they were when this was called."""
        columns = ", ".join(f"e.{name}" for name in ENVELOPE)
        last = "ORDER BY e.receive_time, 1" + ("" if limit is None else f" LIMIT {int(limit)}")
        for row in self._ask(f"{columns}, r.replay_time, e.sealed", wanted, last):
            yield _envelope(row), bytes(row["sealed"])

    def _ask(self, select: str, wanted: Filter, last: str, id: str = "") -> Iterator[Any]:
        """select, last: SQL of our own; `e` is the letter, `r` its last replay. Values go in as parameters."""
        parameters: list[Any] = []
        conditions = ["TRUE"]
        for column, values in (("stream", wanted.streams), ("reason", wanted.reasons), ("field", wanted.fields)):
            if values:
                conditions.append(f"e.{column} IN UNNEST(@{column})")
                parameters.append(bigquery.ArrayQueryParameter(column, "STRING", list(values)))
        for name, sign, moment in (("since", ">=", wanted.since), ("until", "<", wanted.until)):
            if moment is not None:
                conditions.append(f"e.receive_time {sign} @{name}")
                parameters.append(bigquery.ScalarQueryParameter(name, "TIMESTAMP", moment))
        if id:
            conditions.append("STARTS_WITH(e.dead_token, @id)")
            parameters.append(bigquery.ScalarQueryParameter("id", "STRING", id))
        if wanted.replayed is not None:
            conditions.append(f"r.replay_time IS {'NOT ' if wanted.replayed else ''}NULL")
        replays = f"SELECT dead_token, MAX(replay_time) AS replay_time FROM {self._replays} GROUP BY 1"  # noqa: S608
        if not self._exists(replay_table().id):  # nothing was ever replayed
            replays = "SELECT CAST(NULL AS STRING) AS dead_token, CAST(NULL AS TIMESTAMP) AS replay_time"
        query = (
            f"SELECT {select} FROM {self._events} e LEFT JOIN ({replays}) r ON r.dead_token = e.dead_token "  # noqa: S608
            f"WHERE {' AND '.join(conditions)} {last}"
        )
        if not self._exists(dead_letter_table().id):
            return iter(())
        config = bigquery.QueryJobConfig(query_parameters=parameters)
        return iter(self._client.query_and_wait(query, job_config=config))

    def _exists(self, table: str) -> bool:
        try:
            self._client.get_table(f"{self._client.project}.{table}")
        except api.NotFound:
            return False
        return True


def _envelope(row: Any) -> Envelope:
    values = {name: row[name] for name in ENVELOPE if name not in ("receive_time", "attributes")}
    attributes = {item["name"]: item["value"] for item in row["attributes"] or []}
    return Envelope(**values, received=row["receive_time"], attributes=attributes, replayed=row["replay_time"])
