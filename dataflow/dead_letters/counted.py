"""Which messages that the broker gave up were counted before.

One may have been staged by a process that died before it acknowledged, again and again, beside a message that killed
it. Then a table has its row, and it is not counted again.
"""

import datetime
import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from google.api_core import exceptions as api
from google.cloud import bigquery

from dataflow.core import Anonymizer, Reason
from dataflow.dead_letters.envelope import UNIX, open_dead_letter
from dataflow.dead_letters.given_up import GivenUp
from dataflow.keys import Sealer
from dataflow.objects import Objects
from dataflow.operators.deduplicate import Index
from dataflow.schemas import dead_letter_table, raw_table

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 3
"""How often a process may end over one message before it is taken for the cause."""


class Counted:
    """Tells which given-up messages were counted before they were given up.

    anonymizer: one of its own, for it is used beside the pipeline's. sealer: opens dead letters.
    marks: where it is noted, before a message is put through the core, that it is: one that kills the process again and
    again is not put through it any more. It was never counted, for whoever took it died.
    indexes: what the journal decided, asked for only where a table cannot tell.
    """

    def __init__(
        self,
        client: bigquery.Client,
        anonymizer: Anonymizer,
        sealer: Sealer,
        marks: Objects,
        indexes: Callable[[], Iterable[tuple[int, Index]]],
    ) -> None:
        self._client = client
        self._anonymizer = anonymizer
        self._sealer = sealer
        self._marks = marks
        self._indexes = indexes

    def sort_out(self, messages: Sequence[GivenUp]) -> list[bool]:
        """Whether each was counted. Raises SchemasAwayError as the core does, and the warehouse's errors."""
        if not messages:
            return []
        tokens = [self._token(message) for message in messages]
        rows = self._rows([token for token in tokens if token is not None])
        dead = self._dead(messages)
        counted: list[bool] = []
        for message, token in zip(messages, tokens, strict=True):
            times = rows.get(token, []) if token is not None else []
            if times and not any(map(message.holds, times)):
                counted.append(self._duplicate(message))
            else:
                counted.append(bool(times) or any(self._same(message, letter) for letter in dead))
        return counted

    def _token(self, message: GivenUp) -> str | None:
        """The token of its first event; None where the core refuses it or may not see it."""
        name = hashlib.sha256(message.position.encode()).hexdigest()[:32]
        for attempt in range(MOST_ATTEMPTS):
            mark = f"undeliverable/{name}-{attempt}"
            if self._marks.create(mark, b""):
                break
        else:
            log.warning("A message that the broker gave up ends the process: it is not looked into again.")
            return None
        unpacked = self._anonymizer.unpack([message.message.data], [message.attributes], [message.published])
        found: list[str] = self._anonymizer.process(unpacked.batch).raw["event_token"].to_list()
        self._marks.delete(mark)
        return found[0] if found else None

    def _rows(self, tokens: list[str]) -> dict[str, list[int]]:
        """Token -> when its accepted events were received, microseconds."""
        query = (
            f"SELECT event_token, receive_time FROM `{self._client.project}.{raw_table(self._anonymizer.contract).id}` "  # noqa: S608
            "WHERE event_token IN UNNEST(@tokens)"
        )
        found: dict[str, list[int]] = {}
        for row in self._ask(query, [bigquery.ArrayQueryParameter("tokens", "STRING", sorted(set(tokens)))]):
            found.setdefault(row["event_token"], []).append(_micros(row["receive_time"]))
        return found

    def _dead(self, messages: Sequence[GivenUp]) -> list[Any]:
        """Dead letters that may be some of these messages."""
        table = f"`{self._client.project}.{dead_letter_table().id}`"
        query = (
            f"SELECT dead_token, receive_time, payload_bytes, sealed FROM {table} "  # noqa: S608
            "WHERE stream = @stream AND reason != @given_up AND receive_time >= @first AND receive_time < @end "
            "AND payload_bytes IN UNNEST(@lengths)"
        )
        lengths = sorted({len(message.message.data) for message in messages})
        moments = [min(message.published for message in messages), max(message.until for message in messages)]
        first, end = (UNIX + datetime.timedelta(microseconds=moment) for moment in moments)
        parameters = [
            bigquery.ScalarQueryParameter("stream", "STRING", self._anonymizer.contract.stream),
            bigquery.ScalarQueryParameter("given_up", "STRING", Reason.UNDELIVERABLE.value),
            bigquery.ScalarQueryParameter("first", "TIMESTAMP", first),
            bigquery.ScalarQueryParameter("end", "TIMESTAMP", end),
            bigquery.ArrayQueryParameter("lengths", "INT64", lengths),
        ]
        return list(self._ask(query, parameters))

    def _same(self, message: GivenUp, letter: Any) -> bool:
        if letter["payload_bytes"] != len(message.message.data) or not message.holds(_micros(letter["receive_time"])):
            return False
        opened = open_dead_letter(bytes(letter["sealed"]), letter["dead_token"], self._sealer)
        return opened == (message.message.data, dict(message.attributes))

    def _duplicate(self, message: GivenUp) -> bool:
        """Whether a duplicate was counted then; a duplicate has no row."""
        return any(
            bool(((index.duplicates.times >= message.published) & (index.duplicates.times < message.until)).any())
            for _, index in self._indexes()
        )

    def _ask(self, query: str, parameters: list[Any]) -> Iterable[Any]:
        try:
            return self._client.query_and_wait(query, job_config=bigquery.QueryJobConfig(query_parameters=parameters))
        except api.NotFound:  # no table yet: nothing was counted
            return ()


def _micros(moment: datetime.datetime) -> int:
    return (moment - UNIX) // datetime.timedelta(microseconds=1)
