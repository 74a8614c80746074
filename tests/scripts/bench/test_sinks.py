"""The measurement of the sinks writes what it says it writes."""

from scripts.bench.sinks import measure


def test_both_sinks_are_measured() -> None:
    figures = measure(300, 2)
    assert {name: (found["events"], found["groups"]) for name, found in figures.items()} == {
        "load": (600, 2),
        "storage-write": (300, 1),
    }
    assert all(found["events_per_second"] > 0 for found in figures.values())
