"""Raw events under a new policy: their anonymized rows are replaced, all in one job.

The new rows are made beside the table, chunk by chunk like every import; one MERGE then replaces the rows of the same
event tokens. Until it is done readers see the old rows, after it the new ones, and never both. What raw no longer has
(it is short-lived) keeps its old row: the count says so.
"""

import dataclasses
import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

from google.cloud import bigquery

from dataflow.candidates import Candidates
from dataflow.core import Anonymizer
from dataflow.errors import NorenError
from dataflow.ingest.driver import Ingest, Progress
from dataflow.ingest.known import NothingKnown
from dataflow.journal import Entry
from dataflow.keys import KeyRing
from dataflow.operators.deduplicate import Deduplicator, Index
from dataflow.schemas import anonymized_table
from dataflow.sinks.base import Sink
from dataflow.sources.bounded import BoundedSource


class _Beside(Ingest):
    """Writes anonymized rows alone, to a table beside the stream's."""

    def _asked(self, candidates: Candidates) -> Deduplicator:  # noqa: ARG002
        return Deduplicator()

    def _decide(self, candidates: Candidates, known: Deduplicator) -> Entry:  # noqa: ARG002
        if not candidates.dead.is_empty():
            first = candidates.dead.row(0, named=True)
            raise NorenError(
                f"{self._contract.stream}: raw events are none under contract {self._contract.version} "
                f"({first['field']}: {first['reason']}); nothing was replaced. Let the contract accept them first."
            )
        if candidates.origins.positions != candidates.origins.tokens:  # the position of a raw row is its token
            raise NorenError(
                f"{self._contract.stream}: under this policy and these keys the events have other tokens, "
                "so no row can be replaced; nothing was."
            )
        return Entry(Index(), self._nothing() | {"anonymized": candidates.anonymized})


class Reanonymize:
    """One re-anonymization of one stream.

    sink, keys, state: as for Ingest. shard: of its journal.
    """

    def __init__(
        self, anonymizer: Anonymizer, client: bigquery.Client, sink: Sink, keys: KeyRing, state: Path, shard: str
    ) -> None:
        self._client = client
        self._anonymizer = anonymizer
        self._table = anonymized_table(anonymizer.contract, anonymizer.policy)
        version = f"{anonymizer.contract.version}\n{anonymizer.policy.version}"
        digest = hashlib.sha256(version.encode()).hexdigest()[:8]
        self._beside = dataclasses.replace(self._table, name=f"{self._table.name}__{digest}")
        sink.ensure(self._table)  # says what cannot be: a column of another type
        live = client.get_table(f"{client.project}.{self._table.id}")
        # with the live columns: those that the new policy does not have stay empty, and are emptied by them
        self._columns = [field.name for field in live.schema]
        beside = bigquery.Table(f"{client.project}.{self._beside.id}", schema=live.schema)
        client.create_table(beside, exists_ok=True)
        self._ingest = _Beside(
            anonymizer, sink, keys, NothingKnown(), state, f"{shard}-{digest}", written={"anonymized": self._beside}
        )

    def run(
        self, source: BoundedSource, stop: threading.Event, report: Callable[[Progress], None] | None = None
    ) -> tuple[Progress, int]:
        """(what was read, how many rows were replaced). Interrupted, nothing is replaced, and it goes on later."""
        progress = self._ingest.run(source, stop, report)
        if not progress.finished:
            return progress, 0
        replaced = self._merge()
        self._client.delete_table(f"{self._client.project}.{self._beside.id}", not_found_ok=True)
        return progress, replaced

    def close(self) -> None:
        self._ingest.close()

    def _merge(self) -> int:
        """Replace, in one job. A column that the new policy does not have is emptied; missing rows stay missing: what
        was erased does not come back."""
        assignments = ", ".join(f"{name} = fresh.{name}" for name in self._columns if name != "event_token")
        job = self._client.query(
            f"MERGE `{self._client.project}.{self._table.id}` stale USING ("  # noqa: S608  (our own names)
            f"SELECT * EXCEPT (nth) FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY event_token) AS nth "
            f"FROM `{self._client.project}.{self._beside.id}`) WHERE nth = 1) fresh "
            f"ON stale.event_token = fresh.event_token WHEN MATCHED THEN UPDATE SET {assignments}"
        )
        job.result()
        return int(job.num_dml_affected_rows or 0)
