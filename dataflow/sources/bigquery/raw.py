"""A stream's raw table: its events once more, for a new policy."""

import datetime
from collections.abc import Callable, Iterator

from google.cloud import bigquery

from dataflow.contract import Contract
from dataflow.schemas import raw_table
from dataflow.sources.bigquery.values import Rows, micros
from dataflow.sources.bounded import MOST_BYTES, MOST_ROWS, Chunk, Row

PAGE_ROWS = 10_000


class RawSource:
    """All rows that are there when reading begins, a partition (a day of receive time) after the other.

    A row's position is its event token. Reading goes on behind the last whole day; the rows of the day in between come
    again.
    """

    unit = "rows"

    def __init__(self, client: bigquery.Client, contract: Contract, rows: int = MOST_ROWS) -> None:
        self.name = "raw"
        self.size: int | None = None
        self._client = client
        self._most = rows
        self._table = f"`{client.project}.{raw_table(contract).id}`"
        self._rows = Rows(contract.fields)

    def following(self, checkpoint: str) -> str:  # noqa: ARG002  (the interface's)
        """At the first day: another policy, all of it again."""
        return ""

    def read(self, checkpoint: str, _: Callable[[str], bool]) -> Iterator[Chunk]:
        days = list(
            self._client.query_and_wait(
                f"SELECT DATE(receive_time) AS day, COUNT(*) AS events FROM {self._table} "  # noqa: S608
                "GROUP BY day ORDER BY day"
            )
        )
        self.size = sum(day["events"] for day in days)
        for day in days:
            name = day["day"].isoformat()
            if name <= checkpoint:
                yield Chunk([], checkpoint, amount=day["events"])
                continue
            for rows in self._day(day["day"]):
                yield Chunk(rows, checkpoint, amount=len(rows))
            checkpoint = name
            yield Chunk([], checkpoint)

    def _day(self, day: datetime.date) -> Iterator[list[Row]]:
        config = bigquery.QueryJobConfig(query_parameters=[bigquery.ScalarQueryParameter("day", "DATE", day)])
        found = self._client.query(
            f"SELECT * FROM {self._table} WHERE receive_time >= TIMESTAMP(@day) "  # noqa: S608
            "AND receive_time < TIMESTAMP(DATE_ADD(@day, INTERVAL 1 DAY))",
            job_config=config,
        ).result(page_size=PAGE_ROWS)
        rows: list[Row] = []
        size = 0
        for row in found:
            token = row["event_token"]
            data = self._rows.json(row)
            rows.append(Row(data, token, token, received=micros(row["receive_time"])))
            size += len(data)
            if len(rows) >= self._most or size >= MOST_BYTES:
                yield rows
                rows, size = [], 0
        if rows:
            yield rows
