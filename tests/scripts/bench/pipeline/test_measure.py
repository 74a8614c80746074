"""Targets and what they are held against."""

from typing import Any

import pytest

from scripts.bench.pipeline.measure import TARGETS, Target, problems

SPEED = Target("speed", ("arrow", "events_per_second"), 100, at_least=True)
DELAY = Target("delay", ("delay", "p99"), 80)


@pytest.mark.parametrize(
    ("target", "part", "held"),
    [
        (SPEED, {"events_per_second": 100}, True),
        (SPEED, {"events_per_second": 99}, False),
        (DELAY, {"p99": 80.0}, True),
        (DELAY, {"p99": 80.1}, False),
        (DELAY, {}, False),
        (DELAY, {"p99": None}, False),
    ],
)
def test_a_target_is_held_or_missed(target: Target, part: dict[str, Any], held: bool) -> None:
    assert target.held({target.figure[0]: part}) is held


def test_what_was_not_measured_is_neither() -> None:
    assert SPEED.held({}) is None


def test_every_problem_is_told() -> None:
    report = {"machine": {"cores": 2}, "arrow": {"problems": []}, "tables": {"problems": ["two rows"]}, "targets": []}
    assert problems(report) == ["two rows"]


def test_targets_are_of_different_figures() -> None:
    assert len({target.figure for target in TARGETS}) == len(TARGETS) == 8
