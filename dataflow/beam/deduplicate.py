"""Candidates in, rows out: the Deduplicator over Beam state, one state a shard of the event token."""

import uuid
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.metrics.metric import Metrics
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec

from dataflow.beam.settings import Settings, without_values
from dataflow.beam.state import DAYS, DayBags
from dataflow.candidates import Candidates
from dataflow.errors import NorenError
from dataflow.journal import Entry
from dataflow.operators.deduplicate import Deduplicator

NAMESPACE = "noren"
"""Of the counters: raw, duplicates, dead, dead_<reason>, unknown_fields. published = raw + dead + duplicates."""

HEAD = ReadModifyWriteStateSpec("head", BytesCoder())
BAGS = [BagStateSpec(f"day{slot}", BytesCoder()) for slot in range(DAYS)]


class DeduplicateFn(beam.DoFn):
    """(shard, Candidates) -> pyarrow.RecordBatch on the outputs raw, anonymized, dead and unknown.

    A shard's state is read when this process does not hold that very state, else only its version is: a bundle that
    failed, or another worker, leaves another version.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def setup(self) -> None:
        self._held: dict[int, tuple[str, Deduplicator]] = {}

    def process(
        self,
        element: tuple[int, Candidates],
        head: Any = beam.DoFn.StateParam(HEAD),
        day0: Any = beam.DoFn.StateParam(BAGS[0]),
        day1: Any = beam.DoFn.StateParam(BAGS[1]),
        day2: Any = beam.DoFn.StateParam(BAGS[2]),
        day3: Any = beam.DoFn.StateParam(BAGS[3]),
        day4: Any = beam.DoFn.StateParam(BAGS[4]),
        day5: Any = beam.DoFn.StateParam(BAGS[5]),
        day6: Any = beam.DoFn.StateParam(BAGS[6]),
        day7: Any = beam.DoFn.StateParam(BAGS[7]),
        day8: Any = beam.DoFn.StateParam(BAGS[8]),
        day9: Any = beam.DoFn.StateParam(BAGS[9]),
    ) -> Iterator[Any]:  # Beam reads this: its type of a tagged output wants each tag spelled out
        shard, candidates = element
        state = DayBags(head, [day0, day1, day2, day3, day4, day5, day6, day7, day8, day9])
        try:
            entry = self._decide(shard, candidates, state)
        except NorenError:
            raise
        except Exception as error:  # noqa: BLE001  (polars and others quote values in their errors)
            raise without_values(self._settings.contract.stream, error) from None
        _count(entry)
        for role, frame in entry.rows.items():
            if not frame.is_empty():
                yield TaggedOutput(role, frame.rechunk().to_arrow().to_batches()[0])

    def _decide(self, shard: int, candidates: Candidates, state: DayBags) -> Entry:
        version, deduplicator = self._held.pop(shard, ("", Deduplicator()))
        if version != state.version:
            deduplicator = Deduplicator()
            for index in state.read():
                deduplicator.learn(index)
        entry = candidates.decide(deduplicator, self._settings.contract)
        if entry.index.newest:
            deduplicator.learn(entry.index)
            state.add(entry.index, uuid.uuid4().hex)
        self._held[shard] = (state.version, deduplicator)
        return entry


def _count(entry: Entry) -> None:
    counts = {
        "raw": len(entry.index.accepted),
        "duplicates": len(entry.index.duplicates),
        "dead": len(entry.index.dead),
        "unknown_fields": int(entry.rows["unknown"]["events"].sum()),
    }
    for reason in entry.rows["dead"]["reason"]:
        counts[f"dead_{reason}"] = counts.get(f"dead_{reason}", 0) + 1
    for name, count in counts.items():
        if count:
            Metrics.counter(NAMESPACE, name).inc(count)
