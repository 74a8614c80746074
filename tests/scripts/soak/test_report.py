"""What a run tells."""

from scripts.soak.balance import Counts
from scripts.soak.report import Injected, Report, Round

REPORT = Report(
    7,
    [
        Round(
            1,
            [Injected("sink_errors", 1.0, 3.0, 0.5), Injected("clock_jump", 2.0, 2.5, 2.0)],
            Counts(published=1_010, raw=1_000, anonymized=1_000, dead=4, duplicates=6),
            available=6,
            watched=8,
            seconds=20.04,
        ),
        Round(2, [Injected("sink_errors", 1.0, 3.0, 1.5), Injected("redelivery", 1.0, 3.0)], available=4, watched=8),
    ],
)


def test_a_round_is_a_line() -> None:
    assert REPORT.rounds[0].line(12) == (
        "round  1/12  1,010 published = 1,000 raw + 4 dead + 6 duplicates; 1,000 anonymized; available 75 %; 20.0 s; "
        "sink_errors, clock_jump"
    )


def test_recovery_is_told_by_kind_of_fault() -> None:
    assert REPORT.to_dict()["recovery"] == {
        "clock_jump": {"faults": 1, "not_recovered": 0, "median_seconds": 2.0, "longest_seconds": 2.0},
        "redelivery": {"faults": 1, "not_recovered": 1, "median_seconds": None, "longest_seconds": None},
        "sink_errors": {"faults": 2, "not_recovered": 0, "median_seconds": 1.0, "longest_seconds": 1.5},
    }


def test_availability_is_of_all_rounds() -> None:
    assert REPORT.to_dict()["availability"] == 0.625
    assert REPORT.lines()[0] == "available 62 % of the seconds in which events were published"
