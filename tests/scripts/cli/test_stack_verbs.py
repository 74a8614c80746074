"""`noren up`, `noren status` and `noren down` with the whole stack."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stack import background, endpoints
from scripts.stack.health import answers

NOREN = Path(sys.executable).with_name("noren")
SERVICES = ["warehouse", "pubsub", "gateway"]


def noren(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    done = subprocess.run([NOREN, *arguments], capture_output=True, text=True, timeout=100)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a stack that `noren up --detach` started."""
    home = tmp_path_factory.mktemp("home")
    code, _, said = noren("up", "--detach", "--home", str(home))
    assert code == 0, said
    assert "noren down" in said
    yield home
    background.stop(home)


def test_up_detach_leaves_a_stack_that_answers(home: Path) -> None:
    running = endpoints.load(home)
    assert {name: answers(service) for name, service in running.services.items()} == dict.fromkeys(SERVICES, True)
    assert [dataset.dataset_id for dataset in running.warehouse_client().list_datasets()] == []


def test_everything_in_the_home_is_for_its_owner_only(home: Path) -> None:
    open_to_others = [path for path in (home, *home.rglob("*")) if path.lstat().st_mode & 0o077]
    assert open_to_others == []


def test_status_is_a_line_for_each_service(home: Path) -> None:
    code, said, _ = noren("status", "--home", str(home))
    lines = said.splitlines()
    assert (code, lines[0]) == (0, f"The stack of {home} is running.")
    assert [re.split(r"\s{2,}", line)[0::3] for line in lines[1:]] == [[name, "answers"] for name in SERVICES]


def test_status_json_says_where_and_exit_code_1_when_a_service_does_not_answer(home: Path) -> None:
    pubsub = endpoints.load(home)["pubsub"]
    os.kill(pubsub.pid, signal.SIGSTOP)
    try:
        code, said, _ = noren("status", "--json", "--home", str(home))
    finally:
        os.kill(pubsub.pid, signal.SIGCONT)
    status = json.loads(said)
    assert (code, status["state"], status["project_id"]) == (1, "running", "noren-local")
    assert {s["name"]: s["answering"] for s in status["services"]} == {
        "warehouse": True,
        "pubsub": False,
        "gateway": True,
    }
    assert status["services"][1]["address"] == f"127.0.0.1:{pubsub.port}"


def test_up_twice_is_one_sentence_that_says_where_the_first_is(home: Path) -> None:
    for arguments in (["up", "--home", str(home)], ["up", "--detach", "--home", str(home)]):
        code, said, sentence = noren(*arguments)
        assert (code, said, sentence.count("\n")) == (1, "", 1)
        assert "runs already" in sentence
        assert endpoints.load(home).gateway in sentence


@pytest.mark.parametrize("detach", [[], ["--detach"]])
def test_a_home_that_cannot_be_made_is_one_sentence(tmp_path: Path, detach: list[str]) -> None:
    (tmp_path / "file").touch()
    code, said, sentence = noren("up", *detach, "--home", str(tmp_path / "file" / "home"))
    assert (code, said, sentence.count("\n")) == (1, "", 1)
    assert "cannot be made: Not a directory. Choose another --home." in sentence


def test_down_stops_it_and_then_says_that_none_runs(home: Path) -> None:
    pids = [service.pid for service in endpoints.load(home).services.values()]
    assert noren("down", "--home", str(home))[:2] == (0, f"The stack of {home} is stopped.\n")
    assert [Path(f"/proc/{pid}").exists() for pid in pids] == [False] * 3
    assert noren("down", "--home", str(home))[:2] == (0, f"No stack runs in {home}.\n")
    assert noren("status", "--home", str(home))[:2] == (1, f"The stack of {home} is stopped.\n")


def test_ctrl_c_stops_everything_with_exit_code_0(tmp_path: Path) -> None:
    up = subprocess.Popen([NOREN, "up", "--home", str(tmp_path)], stderr=subprocess.PIPE, text=True)
    assert up.stderr is not None
    shown = [up.stderr.readline().split()[0] for _ in range(4)]
    assert shown == ["service", *SERVICES]
    running = endpoints.load(tmp_path)
    up.send_signal(signal.SIGINT)
    assert up.wait(60) == 0
    assert up.stderr.read().splitlines()[-1] == "The local stack is stopped."
    assert [answers(service) for service in running.services.values()] == [False] * 3
    up.stderr.close()
