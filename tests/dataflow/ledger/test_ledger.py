"""Ledgers: appended by many at once, never changed, and whatever was changed is found."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.errors import NorenError
from dataflow.ledger import Ledger, mirror, mirrored, user
from dataflow.ledger.chain import digest
from dataflow.objects import LocalObjects
from dataflow.sinks.load import LoadSink
from scripts.stack.endpoints import Endpoints

ROOT = Path(__file__).parents[3]


class Memory:
    """Objects in memory."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def create(self, name: str, data: bytes) -> bool:
        if name in self.objects:
            return False
        self.objects[name] = data
        return True

    def read(self, name: str) -> bytes:
        if name not in self.objects:
            raise NorenError(f"{name}: there is no such object.")
        return self.objects[name]

    def names(self, prefix: str) -> Iterator[str]:
        yield from sorted(name for name in self.objects if name.startswith(f"{prefix}/"))

    def delete(self, name: str) -> None:
        self.objects.pop(name, None)


def filled(count: int = 4) -> tuple[Memory, Ledger]:
    memory = Memory()
    ledger = Ledger(memory, "access")
    for number in range(count):
        ledger.append("access.applied", "user:ana", {"dataset": f"marts__{number}"})
    return memory, ledger


def found(ledger: Ledger, copy: dict[int, str] | None = None) -> list[tuple[int, str]]:
    return [(damage.number, damage.kind) for damage in ledger.verify(copy)]


def test_lines_are_numbered_and_stand_on_each_other() -> None:
    memory, ledger = filled(3)
    lines = list(ledger.entries())
    assert [(line.number, line.kind, line.who, line.details) for line in lines] == [
        (number, "access.applied", "user:ana", {"dataset": f"marts__{number}"}) for number in range(3)
    ]
    assert [line.before for line in lines[1:]] == [
        digest(memory.read(f"access/lines/{number:012d}")) for number in range(2)
    ]
    assert [line.number for line in ledger.entries(2)] == [2]
    assert ledger.verify() == []


def test_a_line_that_is_given_back_is_the_one_that_is_kept(tmp_path: Path) -> None:
    ledger = Ledger(LocalObjects(tmp_path), "access")
    line = ledger.append("access.applied", "user:ana", {"groups": ("a", "b")})
    assert line.details == {"groups": ["a", "b"]}
    assert list(Ledger(LocalObjects(tmp_path), "access").entries()) == [line]


def test_many_processes_append_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.dataflow.ledger.appending", str(tmp_path)]
    processes = [subprocess.Popen([*command, who, "20"], cwd=ROOT) for who in ("a", "b", "c")]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    ledger = Ledger(LocalObjects(tmp_path), "access")
    lines = list(ledger.entries())
    assert [line.number for line in lines] == list(range(60))
    for who in ("a", "b", "c"):
        assert [line.details["number"] for line in lines if line.who == who] == list(range(20))
    assert ledger.verify() == []


@pytest.mark.parametrize("number", range(4))
def test_an_altered_line_is_found(number: int) -> None:
    memory, ledger = filled()
    name = f"access/lines/{number:012d}"
    memory.objects[name] = memory.objects[name].replace(b"ana", b"bob")
    assert found(ledger) == [(number, "altered")]


@pytest.mark.parametrize("number", range(4))
def test_a_removed_line_is_found(number: int) -> None:
    memory, ledger = filled()
    memory.delete(f"access/lines/{number:012d}")
    assert found(ledger) == [(number, "removed")]


@pytest.mark.parametrize("number", range(3))
def test_a_line_that_is_gone_with_its_digest_is_found_while_others_follow(number: int) -> None:
    memory, ledger = filled()
    for part in ("lines", "digests"):
        memory.delete(f"access/{part}/{number:012d}")
    assert found(ledger) == [(number, "removed")]


def test_lines_that_changed_places_are_found() -> None:
    memory, ledger = filled()
    for part in ("lines", "digests"):
        a, b = f"access/{part}/{1:012d}", f"access/{part}/{2:012d}"
        memory.objects[a], memory.objects[b] = memory.objects[b], memory.objects[a]
    assert found(ledger) == [(1, "moved"), (2, "moved")]


def test_a_line_that_was_made_anew_with_its_digest_leaves_the_next_one_standing_on_nothing() -> None:
    memory, ledger = filled()
    name = f"access/lines/{1:012d}"
    memory.objects[name] = memory.objects[name].replace(b"ana", b"bob")
    memory.objects[f"access/digests/{1:012d}"] = digest(memory.objects[name]).encode()
    assert found(ledger) == [(2, "broken")]


def test_a_line_of_another_ledger_does_not_fit() -> None:
    memory, ledger = filled(1)
    other, _ = filled(1)
    for part in ("lines", "digests"):
        memory.objects[f"access/{part}/{0:012d}"] = other.objects[f"access/{part}/{0:012d}"]
    assert found(ledger) == [(0, "broken")]


def test_a_digest_that_is_gone_is_found_but_for_a_crash_right_after_the_line() -> None:
    memory, ledger = filled()
    memory.delete(f"access/digests/{3:012d}")
    assert found(ledger) == []
    memory.delete(f"access/digests/{1:012d}")
    assert found(ledger) == [(1, "altered")]


def test_the_next_writer_mends_what_a_crash_left() -> None:
    memory, ledger = filled()
    memory.delete(f"access/digests/{3:012d}")
    Ledger(memory, "access").append("access.applied", "user:ana", {})
    assert memory.read(f"access/digests/{3:012d}").decode() == digest(memory.read(f"access/lines/{3:012d}"))
    assert found(ledger) == []


def test_the_number_of_a_removed_line_is_not_used_again() -> None:
    memory, ledger = filled()
    memory.delete(f"access/lines/{3:012d}")
    assert Ledger(memory, "access").append("access.applied", "user:ana", {}).number == 4
    assert found(ledger) == [(3, "removed")]


@given(st.integers(0, 3), st.integers(0, 10_000), st.integers(1, 255))
def test_no_flipped_bit_stays_unseen(number: int, place: int, flip: int) -> None:
    memory, ledger = filled()
    name = f"access/lines/{number:012d}"
    data = bytearray(memory.objects[name])
    data[place % len(data)] ^= flip
    memory.objects[name] = bytes(data)
    assert [damage.number for damage in ledger.verify()] == [number]


@pytest.mark.parametrize(
    ("kind", "who", "details", "error"),
    [
        ("Access Applied", "user:ana", {}, ValueError),
        ("access.applied", "", {}, ValueError),
        ("access.applied", "user:ana", {"what": object()}, TypeError),
    ],
)
def test_what_is_no_line_is_not_appended(kind: str, who: str, details: dict[str, Any], error: type[Exception]) -> None:
    _, ledger = filled(0)
    with pytest.raises(error):
        ledger.append(kind, who, details)
    assert ledger.numbers("lines") == []


def test_a_name_is_a_plain_word() -> None:
    with pytest.raises(ValueError, match=r"^'\.\./x' is no name of a ledger: lower case, digits and underscores$"):
        Ledger(Memory(), "../x")


def test_a_line_that_cannot_be_read_is_one_sentence() -> None:
    memory, ledger = filled()
    memory.objects[f"access/lines/{1:012d}"] = b"nothing"
    with pytest.raises(NorenError, match=r"^ledger access: line 1 was altered and cannot be read\.$"):
        list(ledger.entries())


def test_who_is_the_user_unless_the_environment_says_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOREN_ACTOR", "group:release@example.com")
    assert user() == "group:release@example.com"
    monkeypatch.delenv("NOREN_ACTOR")
    assert user().startswith("user:")


def test_the_copy_in_the_warehouse_tells_of_a_chain_that_was_made_anew(servers: Endpoints, tmp_path: Path) -> None:
    client = servers.warehouse_client()
    client.create_dataset("operations", exists_ok=True)
    ledger = Ledger(LocalObjects(tmp_path), "access")
    sink = LoadSink(client)
    assert mirror(ledger, sink) == 0
    for number in range(3):
        ledger.append("access.applied", "user:ana", {"number": number})
    assert mirror(ledger, sink) == 3
    assert mirror(ledger, sink) == 0
    ledger.append("access.applied", "user:ana", {"number": 3})
    # as a process leaves it that dies between the write and its record
    assert mirror(ledger, sink) == 1
    ledger.objects.delete("access/mirrored/000000000001")
    assert mirror(ledger, sink) == 1
    copy = mirrored(ledger, client)
    assert sorted(copy) == [0, 1, 2, 3]
    query = f"SELECT who, details FROM operations.ledger WHERE ledger = 'access-{ledger.identity}' ORDER BY number"
    assert [tuple(row) for row in client.query_and_wait(query)] == [
        ("user:ana", f'{{"number":{number}}}') for number in range(4)
    ]
    assert found(ledger, copy) == []
    for part in ("lines", "digests"):  # the newest line removed with its digest: only the copy knows
        ledger.objects.delete(ledger.path(part, 3))
    assert found(ledger) == []
    assert found(ledger, copy) == [(3, "removed")]
