import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from dataflow.errors import NorenError
from scripts.stack import endpoints
from scripts.stack.health import answers
from scripts.stack.services import Plan, Service
from scripts.stack.supervisor import Stack, StopRequestedError, free_port

FAKE = Path(__file__).with_name("fake_service.py")


def fake(name: str, *arguments: str, port: int | None = None) -> Service:
    return Service(name, port or free_port(), lambda _: [sys.executable, str(FAKE), *arguments])


def stack(home: Path, *services: Service) -> Stack:
    return Stack(home, "noren-test", services or (fake("one"), fake("two")))


def test_services_answer_inside_the_block_and_are_gone_after_it(tmp_path: Path) -> None:
    with stack(tmp_path).running() as running:
        assert [answers(service) for service in running.services.values()] == [True, True]
    assert [answers(service) for service in running.services.values()] == [False, False]
    assert (tmp_path / "one" / "stopped").exists()


def test_the_state_file_says_project_addresses_and_pids_for_its_owner_only(tmp_path: Path) -> None:
    with stack(tmp_path).running() as running:
        state = json.loads((tmp_path / "stack.json").read_text())
        assert (tmp_path / "stack.json").stat().st_mode & 0o777 == 0o600
        assert endpoints.load(tmp_path) == running
    one = state["services"]["one"]
    assert (state["project_id"], state["supervisor"]) == ("noren-test", os.getpid())
    assert one["address"] == f"http://127.0.0.1:{one['port']}"
    assert one["ready"] == {"port": one["port"], "colour": "indigo"}
    assert not (tmp_path / "stack.json").exists()


def test_home_secret_and_key_directory_are_for_their_owner_only(tmp_path: Path) -> None:
    with stack(tmp_path / "home").running() as running:
        assert len(running.secret) >= 43
    modes = {name: (tmp_path / "home" / name).stat().st_mode & 0o777 for name in ("", "keys", "logs", "stack.secret")}
    assert modes == {"": 0o700, "keys": 0o700, "logs": 0o700, "stack.secret": 0o600}


def test_the_secret_is_new_at_every_start(tmp_path: Path) -> None:
    seen = set()
    for _ in range(2):
        with stack(tmp_path, fake("one")).running() as running:
            seen.add(running.secret)
    assert len(seen) == 2


def test_the_default_port_is_used_when_it_is_free(tmp_path: Path) -> None:
    port = free_port()
    with stack(tmp_path, fake("one", port=port)).running() as running:
        assert running["one"].port == port


def test_a_free_port_is_used_when_the_default_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with stack(tmp_path, fake("one", port=port)).running() as running:
            assert running["one"].port != port
            assert answers(running["one"])


def test_later_services_are_told_where_the_earlier_ones_will_be(tmp_path: Path) -> None:
    urls: list[str] = []

    def command(plan: Plan) -> list[str]:
        urls.append(plan.url("one"))
        return [sys.executable, str(FAKE)]

    with stack(tmp_path, fake("one"), Service("two", free_port(), command)).running() as running:
        assert urls == [running["one"].address]


def test_a_service_that_dies_at_start_is_one_sentence_with_its_last_words(tmp_path: Path) -> None:
    broken = stack(tmp_path, fake("one"), fake("two", "--misbehave", "die-at-start"))
    expected = r"^two did not start: no such table: secrets \(exit code 1, log .*two\.log\)"
    with pytest.raises(NorenError, match=expected), broken.running():
        pass
    assert not (tmp_path / "stack.json").exists()
    assert broken.processes == {}


def test_a_service_that_dies_later_ends_the_wait(tmp_path: Path) -> None:
    with (watched := stack(tmp_path)).running() as running:
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            urllib.request.urlopen(running["one"].address + "/die", timeout=5)
        with pytest.raises(NorenError, match=r"^one stopped by itself: .* \(exit code 3, log "):
            watched.wait()


def test_a_second_stack_in_the_same_home_is_told_where_the_first_is(tmp_path: Path) -> None:
    with stack(tmp_path, fake("one")).running() as running:
        expected = rf"runs already \(process {os.getpid()}\): one on {running['one'].address}"
        with pytest.raises(NorenError, match=expected), stack(tmp_path).running():
            pass
        assert answers(running["one"])


def test_wait_returns_when_a_stop_is_requested(tmp_path: Path) -> None:
    with (running_stack := stack(tmp_path, fake("one"))).running():
        threading.Timer(0.1, running_stack.request_stop).start()
        running_stack.wait()


def test_a_stop_during_the_start_stops_what_has_started(tmp_path: Path) -> None:
    starting = stack(tmp_path)
    starting.request_stop()
    with pytest.raises(StopRequestedError), starting.running():
        pass
    assert starting.processes == {}


SUPERVISOR = """
    import sys, time
    from pathlib import Path
    from scripts.stack.services import Service
    from scripts.stack.supervisor import Stack
    service = Service("one", int(sys.argv[3]), lambda _: [sys.executable, sys.argv[2]])
    with Stack(Path(sys.argv[1]), "noren-test", (service,)).running() as running:
        print(running["one"].pid, flush=True)
        time.sleep(60)
"""


def supervise(home: Path) -> tuple[subprocess.Popen[str], psutil.Process]:
    """A supervisor in a process of its own, and its service."""
    arguments = [str(home), str(FAKE), str(free_port())]
    supervisor = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SUPERVISOR), *arguments], stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout is not None
    return supervisor, psutil.Process(int(supervisor.stdout.readline()))


def test_a_killed_supervisor_leaves_no_orphan(tmp_path: Path) -> None:
    supervisor, service = supervise(tmp_path)
    supervisor.kill()
    service.wait(10)
    assert (tmp_path / "one" / "stopped-by-stdin").exists()
    with pytest.raises(NorenError, match="no stack runs"):
        endpoints.load(tmp_path)
    supervisor.wait()


def test_after_a_kill_the_next_stack_waits_for_the_old_services(tmp_path: Path) -> None:
    supervisor, service = supervise(tmp_path)
    service.suspend()
    supervisor.kill()
    supervisor.wait()
    threading.Timer(0.5, service.resume).start()
    began = time.monotonic()
    with stack(tmp_path, fake("one")).running():
        assert time.monotonic() - began >= 0.5
        assert not service.is_running()


def test_logs_of_the_last_run_are_kept_beside_the_new_ones(tmp_path: Path) -> None:
    for _ in range(2):
        with stack(tmp_path, fake("one")).running() as running, pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(running["one"].address + "/", timeout=5)
    logs = sorted((tmp_path / "logs").iterdir())
    assert [log.name for log in logs] == ["one.log", "one.previous.log"]
    assert ['"GET / HTTP/1.1" 401' in log.read_text() for log in logs] == [True, True]


def test_a_stopped_process_does_not_count_as_answering(tmp_path: Path) -> None:
    with stack(tmp_path, fake("one")).running() as running:
        os.kill(running["one"].pid, signal.SIGSTOP)
        try:
            assert not answers(running["one"], seconds=0.3)
        finally:
            os.kill(running["one"].pid, signal.SIGCONT)


def test_a_service_that_was_killed_starts_again_on_its_port_and_the_state_file_says_so(tmp_path: Path) -> None:
    supervisor = stack(tmp_path)
    with supervisor.running() as running:
        supervisor.kill("one")
        assert [answers(service) for service in running.services.values()] == [False, True]
        supervisor.start_again("one")
        again = endpoints.load(tmp_path)
        assert again["one"].port == running["one"].port
        assert again["one"].pid != running["one"].pid
        assert answers(again["one"])
        assert again["two"] == running["two"]


def test_a_kill_on_purpose_is_no_end_by_itself_but_the_next_one_is(tmp_path: Path) -> None:
    supervisor = stack(tmp_path)
    with supervisor.running():
        supervisor.kill("one")
        supervisor.start_again("one")
        assert supervisor.reports.empty()
        os.kill(supervisor.processes["one"].pid, signal.SIGKILL)
        with pytest.raises(NorenError, match="one stopped by itself"):
            supervisor.wait()
