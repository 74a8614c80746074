"""What a scheduled query landed: the first half of database sync is `EXTERNAL_QUERY` in BigQuery, this is the second.

The query appends to `raw__<domain>.<stream>_landed`:

    SELECT *, CURRENT_TIMESTAMP() AS landed_at FROM EXTERNAL_QUERY('<connection>', 'SELECT ... FROM customer')
"""

import datetime
import json
from collections.abc import Callable, Iterator

import msgspec
from google.api_core import exceptions as api
from google.cloud import bigquery
from msgspec import Raw

from dataflow import names
from dataflow.contract import CHANGE, Contract, Format
from dataflow.errors import NorenError
from dataflow.keys import TokenKey
from dataflow.sources.bigquery.values import Rows, micros
from dataflow.sources.bounded import MOST_BYTES, MOST_ROWS, Chunk, Row

LANDED_AT = "landed_at"


class LandedSource:
    """Rows that landed since the last import.

    cursor: of a stream of changes (format debezium) the column that tells the states of a row apart, such as
        `updated_at`; a row whose cursor did not move is the same row.
    key: makes the digest of a row's content in its position.
    Raises NorenError when the landing table is missing or lacks a column that is needed.
    """

    unit = "rows"

    def __init__(
        self,
        client: bigquery.Client,
        contract: Contract,
        key: TokenKey,
        cursor: str | None = None,
        rows: int = MOST_ROWS,
    ) -> None:
        self.name = "landed"
        self.size: int | None = None
        self._client = client
        self._contract = contract
        self._key = key
        self._cursor = cursor
        self._most = rows
        self._dataset = names.raw(contract.domain)
        self._name = names.landed(contract.stream)
        self._table = f"`{client.project}.{self._dataset}.{self._name}`"
        changes = contract.format is Format.DEBEZIUM
        self._rows = Rows(field for field in contract.fields if not (changes and field.name == CHANGE))
        self._encode = msgspec.json.Encoder().encode
        self._check(changes=changes)

    def _check(self, *, changes: bool) -> None:
        place = f"{self._dataset}.{self._name}"
        try:
            table = self._client.get_table(f"{self._client.project}.{place}")
        except api.NotFound as error:
            raise NorenError(f"{place}: there is no such table; a scheduled query makes it.") from error
        there = {field.name: field.field_type for field in table.schema}
        if there.get(LANDED_AT) != "TIMESTAMP":
            raise NorenError(f"{place}: needs a TIMESTAMP column {LANDED_AT}: CURRENT_TIMESTAMP() of the query.")
        if changes and self._cursor not in there:
            wanted = self._cursor or "a cursor"
            raise NorenError(f"{place}: has no column {wanted}; name one that moves with every change (--cursor).")

    def following(self, checkpoint: str) -> str:
        """Behind what was read."""
        return checkpoint

    def read(self, checkpoint: str, _: Callable[[str], bool]) -> Iterator[Chunk]:
        """An interrupted import begins again behind the one before: its rows are there already."""
        after = datetime.datetime.fromisoformat(json.loads(checkpoint)) if checkpoint else None
        (found,) = self._client.query_and_wait(
            f"SELECT MAX({LANDED_AT}), COUNT(*) FROM {self._table} WHERE {_BEHIND}",  # noqa: S608
            job_config=_between(after, None),
        )
        until, self.size = found[0], found[1]
        if until is None:
            return
        result = self._client.query(
            f"SELECT * FROM {self._table} WHERE {_BEHIND}",  # noqa: S608
            job_config=_between(after, until),
        ).result(page_size=MOST_ROWS)
        rows: list[Row] = []
        size = 0
        for number, row in enumerate(result):
            data = self._event(row)
            rows.append(Row(data, f"landed:{self._key.token(data.decode())}", f"{self._name}:{number}"))
            size += len(data)
            if len(rows) >= self._most or size >= MOST_BYTES:
                yield Chunk(rows, checkpoint, amount=len(rows))
                rows, size = [], 0
        yield Chunk(rows, json.dumps(until.isoformat()), amount=len(rows))

    def _event(self, row: bigquery.Row) -> bytes:
        data = self._rows.json(row)
        if self._contract.format is not Format.DEBEZIUM:
            return data
        landed = micros(row[LANDED_AT])
        cursor = row[self._cursor]
        version = cursor.isoformat() if isinstance(cursor, datetime.date) else str(cursor)
        source = {"ts_ms": landed // 1_000, "lsn": landed, "table": self._name, "cursor": version}
        return self._encode({"op": "r", "after": Raw(data), "source": source})


_BEHIND = f"(@after IS NULL OR {LANDED_AT} > @after) AND (@until IS NULL OR {LANDED_AT} <= @until)"


def _between(after: datetime.datetime | None, until: datetime.datetime | None) -> bigquery.QueryJobConfig:
    return bigquery.QueryJobConfig(
        query_parameters=[
            bigquery.ScalarQueryParameter("after", "TIMESTAMP", after),
            bigquery.ScalarQueryParameter("until", "TIMESTAMP", until),
        ]
    )
