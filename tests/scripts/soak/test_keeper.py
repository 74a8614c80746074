"""What ends is started again, and what it said last is told."""

import threading
from typing import Any

from scripts.soak.keeper import Keeper


class FakePipeline:
    """Runs until it is told to end."""

    def __init__(self) -> None:
        self.exit_code: int | None = None
        self.said = ""
        self.progress: dict[str, Any] = {"accounted": 1}

    def kill(self) -> None:
        self.exit_code = -9

    def stop(self, number: int = 2) -> None:
        self.exit_code = -number


class Started:
    def __init__(self) -> None:
        self.all: list[FakePipeline] = []
        self.more = threading.Condition()

    def __call__(self) -> Any:
        with self.more:
            self.all.append(FakePipeline())
            self.more.notify_all()
        return self.all[-1]

    def wait(self, count: int) -> None:
        with self.more:
            assert self.more.wait_for(lambda: len(self.all) == count, 30)


def test_what_ends_by_itself_is_started_again_and_its_last_line_is_told() -> None:
    started = Started()
    keeper = Keeper(started)
    keeper.start()
    started.all[0].said = "a warning\nnoren: the Pub/Sub server is away."
    started.all[0].exit_code = 1
    started.wait(2)
    started.all[1].exit_code = 3
    started.wait(3)
    keeper.stop()
    assert keeper.ends == ["noren: the Pub/Sub server is away.", "exit code 3"]
    assert (keeper.starts, started.all[2].exit_code) == (3, -2)


def test_what_was_killed_or_stopped_on_purpose_is_no_end_by_itself() -> None:
    started = Started()
    keeper = Keeper(started)
    keeper.start()
    keeper.kill()
    keeper.terminate()
    keeper.stop()
    assert [pipeline.exit_code for pipeline in started.all] == [-9, -15, -2]
    assert keeper.ends == []
