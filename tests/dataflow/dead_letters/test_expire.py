"""Dead letters are kept for 14 days, in BigQuery and on the emulator."""

import datetime
import threading
import uuid
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from google.api_core.exceptions import ServiceUnavailable

from dataflow.dead_letters import expire as module
from dataflow.dead_letters.expire import KEPT, expire, keep_expiring
from dataflow.schemas import dead_letter_table
from dataflow.sinks.load import LoadSink
from scripts.stack.endpoints import Endpoints

ROOT = Path(__file__).parents[3]

NOW = datetime.datetime(2020, 2, 1, tzinfo=datetime.UTC)
"""Long before what other tests write."""


def test_partitions_in_bigquery_expire_after_the_same_time() -> None:
    layers = yaml.safe_load((ROOT / "iam" / "layers.yaml").read_text())
    assert datetime.timedelta(days=layers["dead_letter"]["partition_expiry_days"]) == KEPT


def test_what_is_older_is_deleted_and_nothing_else(servers: Endpoints) -> None:
    client = servers.warehouse_client()
    client.create_dataset("dead_letter", exists_ok=True)
    sink, table, stream = LoadSink(client), dead_letter_table(), f"s_{uuid.uuid4().hex[:8]}"
    sink.ensure(table)
    rows: list[dict[str, Any]] = [
        {name: 0 if name == "payload_bytes" else b"" if name == "sealed" else "x" for name in table.polars()}
        | {"stream": stream, "attributes": [], "receive_time": NOW - KEPT + datetime.timedelta(seconds=seconds)}
        for seconds in (-1, 0, 1)
    ]
    schema = {name: kind for name, kind in table.polars().items() if name != "batch_id"}
    frame = pl.DataFrame([{name: row[name] for name in schema} for row in rows], schema=schema, orient="row")
    sink.write(table, frame, f"test-{stream}")
    query = f"SELECT COUNT(*) FROM dead_letter.events WHERE stream = '{stream}'"
    assert expire(client, NOW) == 1
    assert next(iter(client.query_and_wait(query)))[0] == 2
    assert expire(client, NOW) == 0


def test_it_goes_on_while_the_warehouse_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, asked = threading.Event(), list[int]()

    def away(_: object) -> int:
        asked.append(1)
        if len(asked) == 3:
            stop.set()
        raise ServiceUnavailable("away")

    monkeypatch.setattr(module, "expire", away)
    monkeypatch.setattr(module, "FIRST_SECONDS", 0)
    monkeypatch.setattr(module, "EVERY_SECONDS", 0)
    keep_expiring(object(), stop)
    assert len(asked) == 3


def test_without_any_table_there_is_nothing_to_delete() -> None:
    class Client:
        project = "p"

        def query(self, *_: object, **__: object) -> None:
            from google.api_core.exceptions import NotFound

            raise NotFound("table")

    assert expire(Client()) == 0
