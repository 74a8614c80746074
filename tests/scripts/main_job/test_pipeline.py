"""The pipeline as a process that is watched: its end and its standing still are told in one sentence."""

import sys
from pathlib import Path
from typing import Any

import pytest

from dataflow.errors import NorenError
from scripts.main_job import pipeline as module
from scripts.main_job.pipeline import PipelineProcess


@pytest.fixture
def saying(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """saying(script): a process that runs this Python text in the pipeline's place."""
    started: list[PipelineProcess] = []
    real = module.subprocess.Popen

    def start(script: str) -> PipelineProcess:
        monkeypatch.setattr(module.subprocess, "Popen", lambda _, **rest: real([sys.executable, "-c", script], **rest))
        started.append(PipelineProcess("app_event", tmp_path, tmp_path))
        return started[-1]

    yield start
    for process in started:
        process.kill()


PROGRESS = "import json,sys,time\ndef say(n, done): print(json.dumps(dict(accounted=n, committed=done)), flush=True)\n"


def test_it_waits_until_all_is_accounted_for_and_committed(saying: Any) -> None:
    seen: list[dict[str, Any]] = []
    process = saying(PROGRESS + "say(1, True)\nsay(3, False)\nsay(3, True)\ntime.sleep(60)")
    assert process.wait_for(3, seen.append) == {"accounted": 3, "committed": True}
    assert seen
    assert process.pid > 0


def test_when_it_ends_before_its_last_words_are_told(saying: Any) -> None:
    process = saying(PROGRESS + "say(1, True)\nsys.exit('noren: the keys are gone')")
    with pytest.raises(NorenError, match=r"^the pipeline ended by itself: noren: the keys are gone$"):
        process.wait_for(3)


def test_when_it_ends_without_a_word_its_exit_code_is_told(saying: Any) -> None:
    with pytest.raises(NorenError, match=r"^the pipeline ended by itself: exit code 3$"):
        saying("import sys; sys.exit(3)").wait_for(1)


def test_when_it_stands_still_it_is_given_up(saying: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STALL_SECONDS", 0.5)
    process = saying(PROGRESS + "say(1234, True)\ntime.sleep(60)")
    with pytest.raises(NorenError, match=r"^the pipeline stands still at 1,234 of 5,000 messages\.$"):
        process.wait_for(5_000)


def test_stopping_is_ctrl_c(saying: Any) -> None:
    process = saying(PROGRESS + "try: say(1, True); time.sleep(60)\nexcept KeyboardInterrupt: say(2, True)")
    process.wait_for(1)
    process.stop()
    assert process.progress == {"accounted": 2, "committed": True}
    process.stop()  # once more does nothing
