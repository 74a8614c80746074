"""Broken events for the measurement of bad rows."""

from dataflow.core import Batch
from scripts.bench.anonymizer import spoil
from scripts.bench.events import events
from scripts.bench.subject import RECEIVED, anonymizer

EVENTS = list(events(1_000))


def test_the_share_is_broken_and_the_rest_untouched() -> None:
    assert sum(before != after for before, after in zip(EVENTS, spoil(EVENTS, 0.01), strict=True)) == 10


def test_the_core_rejects_exactly_the_broken_ones() -> None:
    outcome = anonymizer("declared").process(Batch(spoil(EVENTS, 0.03), [RECEIVED] * 1_000))
    assert outcome.anonymized.height == 970
