"""The source by itself on a real server: a row is the same read whole or followed, and what a slot says."""

import contextlib
import dataclasses
import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataflow.contract import Contract, load_contract
from dataflow.errors import NorenError
from dataflow.keys import KeyRing
from dataflow.secrets import read_secret
from dataflow.sources.postgres import Config, PostgresSource
from dataflow.sources.postgres.pgoutput import parse
from tests.dataflow.ingest.conftest import changes_contract
from tests.postgres import Postgres, running

COLUMNS = {
    "id": "text",
    "a_bool": "boolean",
    "a_small": "smallint",
    "a_big": "bigint",
    "a_real": "double precision",
    "a_numeric": "numeric(12,2)",
    "a_char": "char(5)",
    "a_uuid": "uuid",
    "a_date": "date",
    "a_time": "timestamptz",
    "a_local": "timestamp",
    "a_json": "jsonb",
    "a_bytes": "bytea",
    "an_address": "inet",
    "some_ints": "int[]",
    "some_texts": "text[]",
    "an_enum": "mood",
}

ROWS = [
    "'1', true, -7, 9007199254740993, 0.1, 12.50, 'ab', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2024-02-29', "
    "'2024-02-29 12:00:00.123456+09', '2024-02-29 12:00:00', '{\"a\": [1, null], \"b\": \"x\"}', '\\xdeadbeef', "
    "'192.0.2.1', '{1,2,NULL}', '{\"a,b\",\"c\\\"d\"}', 'sad'",
    "'2', false, 0, -1, 1e300, -0.01, '', NULL, 'infinity', 'infinity', '1890-03-15 12:00:00', '7', '', "
    "'2001:db8::/32', '{}', '{}', NULL",
    "'3', NULL, NULL, NULL, 'NaN', 'NaN', NULL, NULL, '12024-01-01', NULL, NULL, 'null', NULL, NULL, NULL, NULL, NULL",
    "'4', true, 1, 1, '-Infinity', 0, 'žluť', NULL, NULL, '1999-12-31 23:59:59.9+05:30', NULL, '\"t\"', NULL, NULL, "
    "'{{1,2},{3,4}}', '{NULL,\"\"}', 'fine day'",
]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running() as postgres:
        postgres.run("CREATE TYPE mood AS ENUM ('sad', 'fine day')")
        yield postgres


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    document = changes_contract("many", "shop")
    properties = document["schema"][0]["properties"]
    key, change = properties[0] | {"name": "id"}, properties[-1]
    others = [{"name": name, "logicalType": "string"} for name in COLUMNS if name != "id"]
    document["schema"][0]["properties"] = [key, *others, change]
    path = tmp_path / "many.yaml"
    path.write_text(json.dumps(document))
    return load_contract(path)


def config(server: Postgres, table: str, **changes: Any) -> Config:
    found = Config(
        stream="many",
        schema="public",
        table=table,
        host="127.0.0.1",
        port=server.port,
        database="postgres",
        user="noren",
        tls="prefer",
        password=read_secret(f"file:{server.password_file}"),
        zone="Asia/Tokyo",
        slot=table,
        publication=table,
    )
    return dataclasses.replace(found, **changes)


def made(server: Postgres, table: str, identity: str = "DEFAULT") -> None:
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    server.run(
        f"CREATE TABLE {table} ({columns}, PRIMARY KEY (id))",
        f"ALTER TABLE {table} REPLICA IDENTITY {identity}",
        f"CREATE PUBLICATION {table} FOR TABLE {table}",
    )


def read(source: PostgresSource, checkpoint: str = "") -> tuple[list[dict[str, Any]], str]:
    """(envelopes, the last checkpoint)."""
    found: list[dict[str, Any]] = []
    for chunk in source.read(checkpoint, lambda _: False):
        found += [json.loads(row.data) for row in chunk.rows]
        checkpoint = chunk.checkpoint
    return found, checkpoint


@pytest.fixture
def source(server: Postgres, contract: Contract, keys: KeyRing) -> Any:
    return lambda table, **changes: PostgresSource(
        config(server, table, **changes), contract, keys.token_key("ingest", 0)
    )


def moments(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose times are compared as moments: two spellings of a zone are one."""
    for name in ("a_time", "a_local"):
        with contextlib.suppress(KeyError, TypeError, ValueError):
            row[name] = datetime.datetime.fromisoformat(row[name]).astimezone(datetime.UTC)
    return row


def test_a_row_is_the_same_read_whole_and_followed(server: Postgres, source: Any) -> None:
    made(server, "values_table")
    many = source("values_table")
    none, checkpoint = read(many)
    server.run(*(f"INSERT INTO values_table VALUES ({row})" for row in ROWS))
    followed, _ = read(many, checkpoint)
    whole, _ = read(many)
    assert none == []
    assert [event["op"] for event in followed] == ["c"] * len(ROWS)
    assert [event["op"] for event in whole] == ["r"] * len(ROWS)
    for one, other in zip(followed, whole, strict=True):
        assert moments(one["after"]) == moments(other["after"])


def test_a_long_value_that_did_not_change_comes_with_the_whole_old_row(server: Postgres, source: Any) -> None:
    made(server, "long_table", "FULL")
    many = source("long_table")
    server.run("ALTER TABLE long_table ALTER some_texts SET STORAGE EXTERNAL")
    server.run("INSERT INTO long_table (id, some_texts) VALUES ('1', ARRAY[repeat('x', 10000)])")
    _, checkpoint = read(many)
    server.run("UPDATE long_table SET a_small = 1")
    (event,), _ = read(many, checkpoint)
    assert (event["after"]["a_small"], event["after"]["some_texts"]) == (1, ["x" * 10_000])


def test_a_large_transaction_goes_on_in_its_middle(server: Postgres, source: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("dataflow.sources.postgres.slot.MOST_ROWS", 20)
    made(server, "large_table")
    many = source("large_table")
    _, begins = read(many)
    server.run("INSERT INTO large_table (id) SELECT n::text FROM generate_series(1, 100) n", "DELETE FROM large_table")
    chunks = [chunk for chunk in many.read(begins, lambda _: False) if chunk.rows]
    assert sum(len(chunk.rows) for chunk in chunks) == 200
    assert max(len(chunk.rows) for chunk in chunks) == 40
    positions = [row.position for chunk in chunks for row in chunk.rows]
    assert len(set(positions)) == 200
    # killed behind the second chunk, whose successor nobody asked for
    server.run("INSERT INTO large_table (id) VALUES ('x')")
    again = [row.position for chunk in many.read(chunks[-1].checkpoint, lambda _: False) for row in chunk.rows]
    assert len(again) == 1


def test_interrupted_reading_comes_again_from_the_checkpoint(server: Postgres, source: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("dataflow.sources.postgres.slot.MOST_ROWS", 10)
    made(server, "broken_table")
    many = source("broken_table")
    _, begins = read(many)
    server.run("INSERT INTO broken_table (id) SELECT n::text FROM generate_series(1, 100) n")
    reading = many.read(begins, lambda _: False)
    seen = [next(reading), next(reading)]
    reading.close()
    positions = [row.position for chunk in seen for row in chunk.rows]
    positions += [row.position for chunk in many.read(seen[-1].checkpoint, lambda _: False) for row in chunk.rows]
    assert (len(positions), len(set(positions))) == (100, 100)


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        ("DROP PUBLICATION {table}", r"is no publication with public\.{table}; its owner makes it with CREATE"),
        ("SELECT pg_drop_replication_slot('{table}')", r"the replication slot is gone, and with it what was deleted"),
        ("TRUNCATE {table}", r"was truncated, and which rows that deleted the log does not say"),
        ("DROP TABLE {table}", r"postgres has no such table"),
    ],
)
def test_what_would_lose_deletes_is_said_and_not_passed_over(
    server: Postgres, source: Any, break_it: str, sentence: str
) -> None:
    table = f"lost_{abs(hash(break_it)) % 10_000}"
    made(server, table)
    many = source(table)
    _, checkpoint = read(many)
    server.run(break_it.format(table=table))
    with pytest.raises(NorenError, match=sentence.format(table=table)):
        read(many, checkpoint)


def test_a_wrong_password_is_one_sentence_without_it(
    server: Postgres, contract: Contract, keys: KeyRing, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    wrong.touch(0o600)
    wrong.write_text("hunter2")
    many = PostgresSource(
        config(server, "gone", password=read_secret(f"file:{wrong}")), contract, keys.token_key("ingest", 0)
    )
    with pytest.raises(NorenError, match=r"PostgreSQL cannot be reached: password authentication failed for user"):
        read(many)


def test_messages_about_no_row_say_nothing() -> None:
    assert parse(b"O" + bytes(8) + b"origin\0") is None
