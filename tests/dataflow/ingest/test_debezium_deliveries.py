"""Debezium's change events over a topic and over files: one state, whichever way and however often they come."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dataflow.keys import KeyRing, epoch_of
from scripts.main_job.pipeline import PipelineProcess
from tests.dataflow.core.formats.test_debezium import envelope
from tests.dataflow.ingest.conftest import Customers, made_customers
from tests.dataflow.ingest.importing import run, write
from tests.postgres import Postgres

pytestmark = pytest.mark.timeout(180)

NOW = datetime(2026, 11, 1, tzinfo=UTC)
BEFORE = NOW - timedelta(days=600)
"""In another key epoch."""


def change(op: str, user: str, lsn: int, plan: str | None = None, at: datetime = NOW) -> bytes:
    row = {"user_id": user, "email": f"{user}@example.com", "plan": plan, "visits": lsn}
    before, after = (row, None) if op == "d" else (None, row)
    return json.dumps(envelope(op, before, after, lsn=lsn, ts_ms=int(at.timestamp() * 1_000))).encode()


CHANGES = [
    change("r", "ann", 1, "free", BEFORE),
    change("r", "bob", 2, "free", BEFORE),
    change("c", "cid", 10, "free"),
    change("u", "ann", 11, "paid"),
    change("u", "ann", 12, "gold"),
    change("d", "bob", 13),
    b"null",
    change("c", "dan", 14, "free"),
    change("d", "dan", 15),
    b"null",
    change("c", "dan", 16, "paid"),
]


@pytest.fixture(scope="module")
def customers(servers: Any, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Customers]:
    """The first part over a topic, some of it twice; all of it again by a file."""
    found = {"changes": {"slot": "{table}", "publication": "{table}"}}
    for made in made_customers(servers, tmp_path_factory.mktemp("project"), postgres, found):
        stream = made.changes
        pipeline = PipelineProcess(stream.name, servers.home.root, stream.project.root)
        try:
            stream.publish(*CHANGES[4:7], *CHANGES[:8], b"null")
            pipeline.wait_for(7 + 2)
        finally:
            pipeline.stop()
        yield made


def test_over_a_topic_and_over_a_file_every_change_is_there_once(customers: Customers, tmp_path: Path) -> None:
    path = write(tmp_path / "changes.jsonl", b"\n".join(CHANGES))
    result = run(customers.changes, "files", customers.changes.name, path)
    counts = {name: result[name] for name in ("read", "raw", "dead", "duplicates")}
    assert counts == {"read": 11, "raw": 2, "dead": 0, "duplicates": 9}  # two of them tombstones
    operations = Counter(row["change"]["operation"] for row in customers.rows("raw"))
    assert operations == {"r": 2, "c": 3, "u": 2, "d": 2}


def test_settling_forgets_the_values_of_deleted_rows_in_every_key_epoch(customers: Customers) -> None:
    assert {row["key_epoch"] for row in customers.rows("anonymized")} == {epoch_of(NOW), epoch_of(BEFORE)}
    said = [run(customers.changes, "settle", customers.changes.name)["forgotten"] for _ in range(2)]
    assert said == [2, 0]  # bob's first row, of another epoch than its delete, and dan's first life
    left = Counter((row["user_id"], row["change"]["operation"]) for row in customers.rows("raw"))
    assert left == {
        ("ann", "r"): 1,
        ("ann", "u"): 2,
        ("bob", "d"): 1,
        ("cid", "c"): 1,
        ("dan", "d"): 1,
        ("dan", "c"): 1,
    }
    assert {row["event_token"] for row in customers.rows("raw")} == {
        row["event_token"] for row in customers.rows("anonymized")
    }


def test_the_current_state_has_a_row_of_each_key_in_each_epoch(customers: Customers) -> None:
    keys = KeyRing.local(customers.changes.servers.home.root / "keys")
    domain = customers.changes.contract.domain
    now, before = (keys.token_key(domain, epoch_of(time)).token for time in (NOW, BEFORE))
    assert {(row["user_id"], row["plan"]) for row in customers.current()} == {
        (now("ann"), "gold"),
        (before("ann"), "free"),
        (now("cid"), "free"),
        (now("dan"), "paid"),
    }
