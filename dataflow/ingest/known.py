"""What is in the tables already. What other drivers staged and did not commit is their journals' to say.

The state of deduplication reaches back as far as the broker keeps messages. An import reaches back for years, so it
asks the table itself, by event token.
"""

import datetime
from collections.abc import Sequence
from typing import Any, Protocol

import polars as pl
from google.cloud import bigquery

from dataflow.schemas import Table

REACH = datetime.timedelta(days=366 + 400)
"""A policy coarsens event times by a year at most, and another version than today's may have written the rows; a row of
a database that was read twice has one token within a key epoch, 13 months, but each time another event time."""


class Known(Protocol):
    """Asked once a chunk."""

    def tokens(self, tokens: Sequence[str], first: datetime.datetime, last: datetime.datetime) -> set[str]:
        """Which of these event tokens, of events between the two moments, are there."""

    def dead(self, tokens: Sequence[str]) -> set[str]:
        """Which of these dead letters are there."""


class NothingKnown:
    """Of an import into an empty table."""

    def tokens(self, tokens: Sequence[str], first: datetime.datetime, last: datetime.datetime) -> set[str]:  # noqa: ARG002
        return set()

    def dead(self, tokens: Sequence[str]) -> set[str]:  # noqa: ARG002
        return set()


class KnownInTables:
    """Asks the tables by query."""

    def __init__(self, client: bigquery.Client, anonymized: Table, dead: Table, stream: str) -> None:
        self._client = client
        self._anonymized = f"`{client.project}.{anonymized.id}`"
        self._dead = f"`{client.project}.{dead.id}`"
        self._stream = stream

    def tokens(self, tokens: Sequence[str], first: datetime.datetime, last: datetime.datetime) -> set[str]:
        if not tokens:
            return set()
        query = (
            # one text and a join: the local emulator reads an array's items one by one, and compares them one by one
            f"SELECT DISTINCT event_token FROM {self._anonymized} "  # noqa: S608  (our own names)
            "JOIN UNNEST(SPLIT(@tokens)) wanted ON event_token = wanted "
            "WHERE event_time BETWEEN @first AND @last OR event_time IS NULL"
        )
        parameters: list[Any] = [
            bigquery.ScalarQueryParameter("first", "TIMESTAMP", first - REACH),
            bigquery.ScalarQueryParameter("last", "TIMESTAMP", last + datetime.timedelta(days=1)),
            bigquery.ScalarQueryParameter("tokens", "STRING", ",".join(tokens)),
        ]
        return self._ask(query, parameters)

    def dead(self, tokens: Sequence[str]) -> set[str]:
        if not tokens:
            return set()
        query = (
            f"SELECT DISTINCT dead_token FROM {self._dead} "  # noqa: S608
            "JOIN UNNEST(SPLIT(@tokens)) wanted ON dead_token = wanted WHERE stream = @stream"
        )
        parameters: list[Any] = [
            bigquery.ScalarQueryParameter("stream", "STRING", self._stream),
            bigquery.ScalarQueryParameter("tokens", "STRING", ",".join(tokens)),
        ]
        return self._ask(query, parameters)

    def _ask(self, query: str, parameters: list[Any]) -> set[str]:
        config = bigquery.QueryJobConfig(query_parameters=parameters)
        return {row[0] for row in self._client.query_and_wait(query, job_config=config)}


def bounds(times: pl.Series) -> tuple[datetime.datetime, datetime.datetime]:
    """First and last of some event times, which are not empty."""
    first, last = times.min(), times.max()
    assert isinstance(first, datetime.datetime)
    assert isinstance(last, datetime.datetime)
    return first, last
