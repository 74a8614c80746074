"""A schema service that is away stops a pipeline, and makes no dead letters."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from dataflow.core import SchemasAwayError
from dataflow.pull import driver
from dataflow.pull.driver import PullPipeline


class Stager:
    """Cannot stage before the third time."""

    def __init__(self) -> None:
        self.asked = 0

    def stage(self, messages: list[Any], _trace: Any) -> Any:
        self.asked += 1
        if self.asked < 3:
            raise SchemasAwayError("projects/p/schemas/s: its revision 1 cannot be read: away.")
        return ("staged", messages)


@pytest.fixture
def pipeline() -> Any:
    made = PullPipeline.__new__(PullPipeline)
    made._stager = Stager()
    made._committer = SimpleNamespace(check=lambda: None)
    return made


def test_it_waits_until_the_service_is_back(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "SCHEMAS_AWAY_SECONDS", 0.01)
    assert pipeline._stage(["m"], threading.Event()) == ("staged", ["m"])
    assert pipeline._stager.asked == 3


def test_it_can_be_stopped_while_it_waits(pipeline: Any) -> None:
    stop = threading.Event()
    stop.set()
    assert pipeline._stage(["m"], stop) is None
    assert pipeline._stager.asked == 1
