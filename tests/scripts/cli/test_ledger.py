"""`noren ledger` on ledgers in a home: what it prints, and that damage is an exit code."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dataflow.errors import NorenError
from dataflow.ledger import Ledger, mirror
from dataflow.objects import LocalObjects
from dataflow.sinks.load import LoadSink
from scripts.cli.ledger import ledger
from scripts.stack import endpoints
from scripts.stack.endpoints import Endpoints


def call(home: Path, *arguments: str) -> Result:
    done = CliRunner().invoke(ledger, [*arguments, "--home", str(home)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("access", "dead_letters"):
        book = Ledger(LocalObjects(tmp_path / "ledger"), name)
        for number in range(2):
            book.append(f"{name}.done", "user:ana", {"number": number, "what": "x"})
    return tmp_path


def test_the_lines_of_one_and_of_all(home: Path) -> None:
    said = call(home, "list", "access").stdout.splitlines()
    assert [line.split("  ")[0::2] for line in said] == [
        [f"access {number}", "user:ana", f'number={number} what="x"'] for number in range(2)
    ]
    found = json.loads(call(home, "list", "--json").stdout)
    assert [(line["ledger"], line["number"], line["kind"]) for line in found] == [
        (name, number, f"{name}.done") for name in ("access", "dead_letters") for number in range(2)
    ]


def test_whole_ledgers(home: Path) -> None:
    done = call(home, "verify", "--offline")
    assert (done.exit_code, done.stdout.splitlines()) == (
        0,
        [f"{name}: 2 lines, not held against a copy: whole" for name in ("access", "dead_letters")],
    )


def test_damage_is_told_and_is_an_exit_code(home: Path) -> None:
    (home / "ledger" / "access" / "lines" / f"{1:012d}").unlink()
    done = call(home, "verify", "--offline")
    assert (done.exit_code, done.stdout.splitlines()[:2]) == (
        1,
        ["access: 1 lines, not held against a copy: DAMAGED", "  line 1 was removed"],
    )
    (found, other) = json.loads(call(home, "verify", "--offline", "--json").stdout)
    assert found["damages"] == [{"line": 1, "kind": "removed", "words": "line 1 was removed"}]
    assert other["damages"] == []


def test_the_copy_tells_what_the_store_cannot(servers: Endpoints, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client: Any = servers.warehouse_client()
    client.create_dataset("operations", exists_ok=True)
    monkeypatch.setattr(endpoints, "load", lambda _: servers)
    book = Ledger(LocalObjects(home / "ledger"), "access")
    mirror(book, LoadSink(client))
    assert call(home, "verify", "access").stdout == "access: 2 lines, 2 of them in the copy: whole\n"
    for part in ("lines", "digests"):
        (home / "ledger" / "access" / part / f"{1:012d}").unlink()
    assert call(home, "verify", "access", "--offline").exit_code == 0
    assert call(home, "verify", "access").exit_code == 1


def test_reading_makes_no_ledger(home: Path, tmp_path: Path) -> None:
    with pytest.raises(NorenError, match=r"^acces: there is no such ledger in .*; there are access, dead_letters\.$"):
        call(home, "list", "acces")
    assert call(tmp_path / "empty", "verify").stdout == "no ledger yet\n"
    assert not (tmp_path / "empty").exists()
