"""Whether everything adds up: asked in the tables, and told in one sentence where it does not."""

import datetime
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from google.cloud import bigquery

from dataflow.schemas import Table


@dataclass(frozen=True)
class Counts:
    """Of all rounds so far.

    published: by the broker. duplicates: by the pipeline's journal. The rest is asked in the tables: rows of raw,
    anonymized and dead; `*_twice` are rows beyond the first of their token; `unpaired` are tokens in one of raw and
    anonymized only.
    """

    published: int = 0
    raw: int = 0
    anonymized: int = 0
    dead: int = 0
    duplicates: int = 0
    raw_twice: int = 0
    anonymized_twice: int = 0
    dead_twice: int = 0
    unpaired: int = 0

    def problems(self) -> list[str]:
        """A sentence for each thing that does not add up; empty when all is well."""
        found = []
        sum_ = self.raw + self.dead + self.duplicates
        if self.published != sum_:
            found.append(
                f"published is not raw + dead + duplicates: {self.published:,} were published, but {self.raw:,} raw + "
                f"{self.dead:,} dead + {self.duplicates:,} duplicates are {sum_:,}."
            )
        if self.raw != self.anonymized:
            found.append(f"raw is not anonymized: {self.raw:,} rows are raw and {self.anonymized:,} anonymized.")
        for name, twice in (
            ("raw", self.raw_twice),
            ("anonymized", self.anonymized_twice),
            ("dead_letter", self.dead_twice),
        ):
            if twice:
                found.append(f"{twice:,} rows of {name} are there twice.")
        if self.unpaired:
            found.append(f"{self.unpaired:,} event tokens are in only one of raw and anonymized.")
        return found


class Tables:
    """The tables of one stream, asked directly."""

    def __init__(self, client: bigquery.Client, tables: dict[str, Table], stream: str, identity: str) -> None:
        self._client = client
        self._raw, self._anonymized, self._dead = (tables[role].id for role in ("raw", "anonymized", "dead"))
        self._stream = stream
        self._identity = identity

    def count(self, published: int, duplicates: int) -> Counts:
        raw, raw_tokens = self._one(f"SELECT COUNT(*), COUNT(DISTINCT event_token) FROM {self._raw}")  # noqa: S608
        anonymized, tokens = self._one(
            f"SELECT COUNT(*), COUNT(DISTINCT event_token) FROM {self._anonymized}"  # noqa: S608
        )
        dead, dead_tokens = self._one(
            f"SELECT COUNT(*), COUNT(DISTINCT dead_token) FROM {self._dead} "  # noqa: S608
            f"WHERE stream = '{self._stream}'"
        )
        only_raw = self._only(self._raw, self._anonymized)
        only_anonymized = self._only(self._anonymized, self._raw)
        return Counts(
            published,
            raw,
            anonymized,
            dead,
            duplicates,
            raw - raw_tokens,
            anonymized - tokens,
            dead - dead_tokens,
            only_raw + only_anonymized,
        )

    def accepted(self, since: datetime.datetime) -> set[str]:
        """Identities of the events in raw whose messages were accepted since then."""
        return {str(row[0]) for row in self._rows(f"SELECT {self._identity} FROM {self._raw}", since)}  # noqa: S608

    def dead(self, since: datetime.datetime) -> set[str]:
        """Message ids of the dead letters that were accepted since then."""
        return {str(row[0]) for row in self._rows(f"SELECT message_id FROM {self._dead}", since)}  # noqa: S608

    def _only(self, here: str, there: str) -> int:
        tokens = f"SELECT event_token FROM {here} EXCEPT DISTINCT SELECT event_token FROM {there}"  # noqa: S608
        return int(self._one(f"SELECT COUNT(*) FROM ({tokens})")[0])  # noqa: S608

    def _one(self, sql: str) -> Any:
        return next(iter(self._client.query_and_wait(sql)))

    def _rows(self, sql: str, since: datetime.datetime) -> Any:
        config = bigquery.QueryJobConfig(query_parameters=[bigquery.ScalarQueryParameter("since", "TIMESTAMP", since)])
        return self._client.query_and_wait(f"{sql} WHERE receive_time >= @since", job_config=config)


def lost(acknowledged: Sequence[tuple[str, str | None]], accepted: Collection[str], dead: Collection[str]) -> list[str]:
    """A sentence when acknowledged messages, (message id, identity), are in neither raw nor dead letters."""
    missing = sum(identity not in accepted and message_id not in dead for message_id, identity in acknowledged)
    if not missing:
        return []
    return [f"{missing:,} of {len(acknowledged):,} acknowledged messages are in neither raw nor the dead letters."]
