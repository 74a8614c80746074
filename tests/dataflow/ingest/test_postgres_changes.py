"""A real PostgreSQL table followed by its write-ahead log: inserts, updates, hard deletes, across SIGKILLs."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from dataflow.schemas import tables
from scripts.main_job.pipeline import PipelineProcess
from tests.dataflow.cases import event
from tests.dataflow.ingest.conftest import Customers, made_customers
from tests.dataflow.ingest.importing import kill_after, run
from tests.postgres import Postgres

pytestmark = pytest.mark.timeout(180)

ROWS = 400


@pytest.fixture(scope="module")
def customers(servers: Any, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Customers]:
    """Rows that were there before, then changes of every kind, imported by processes that are killed on the way."""
    found = {"changes": {"slot": "{table}", "publication": "{table}"}}
    for made in made_customers(servers, tmp_path_factory.mktemp("project"), postgres, found):
        table = made.changes.name
        postgres.run(
            f"CREATE PUBLICATION {table} FOR TABLE {table}",
            f"INSERT INTO {table} SELECT 'user_' || lpad(n::text, 6, '0'), 'mail' || n || '@example.com', 'free', n, "
            f"'2020-01-01 09:00:00', 'note', now() FROM generate_series(1, {ROWS}) n",
        )
        kill_after(made.changes, 3, "postgres", made.config, "--rows", 100)
        run(made.changes, "postgres", made.config, "--rows", 100)
        postgres.run(
            f"UPDATE {table} SET plan = 'paid', visits = visits + 1 WHERE visits <= 50",
            f"UPDATE {table} SET plan = 'gold' WHERE visits <= 20",
            f"DELETE FROM {table} WHERE visits BETWEEN 11 AND 30",  # user_10 to user_29: of both plans
            f"INSERT INTO {table} VALUES ('user_000777', 'new@example.com', 'free', 0, NULL, 'x', now())",
            f"UPDATE {table} SET user_id = 'user_000778' WHERE user_id = 'user_000400'",
            f"DELETE FROM {table} WHERE user_id = 'user_000300'",
            f"INSERT INTO {table} VALUES ('user_000300', 'back@example.com', 'free', 1, NULL, 'x', now())",
        )
        kill_after(made.changes, 1, "postgres", made.config)
        run(made.changes, "postgres", made.config)
        run(made.changes, "postgres", made.config)
        yield made


def source(customers: Customers) -> dict[str, tuple[Any, ...]]:
    with customers.postgres.connect() as connection:
        rows = connection.execute(f"SELECT user_id, plan, visits, joined FROM {customers.changes.name}").fetchall()
    return {row[0]: row[1:] for row in rows}


def tokens(customers: Customers) -> dict[str, str]:
    """raw user id -> token."""
    raw = {row["event_token"]: row["user_id"] for row in customers.rows("raw", "event_token, user_id")}
    return {raw[row["event_token"]]: row["user_id"] for row in customers.rows("anonymized", "event_token, user_id")}


def test_the_current_state_is_the_table_as_it_is_now(customers: Customers) -> None:
    ids = {token: user for user, token in tokens(customers).items()}
    tokyo = datetime(2020, 1, 1, 0, 0, tzinfo=UTC)  # 09:00 there
    expected = {user: (plan, visits, joined and tokyo) for user, (plan, visits, joined) in source(customers).items()}
    assert {ids[row["user_id"]]: (row["plan"], row["visits"], row["joined"]) for row in customers.current()} == expected


def test_no_change_is_lost_or_there_twice(customers: Customers) -> None:
    for role in ("raw", "anonymized"):
        rows = customers.rows(role, "event_token, change")
        assert set(Counter(row["event_token"] for row in rows).values()) == {1}
        operations = Counter(row["change"]["operation"] for row in rows)
        # of 20 rows, of user_400 and of the old user_300 nothing but the delete is left
        assert operations == {"r": ROWS - 22, "u": 30 + 9, "c": 3, "d": 22}
    assert customers.rows("dead") == []


def test_values_of_deleted_rows_are_gone(customers: Customers) -> None:
    deleted = {f"user_{number:06d}" for number in (*range(10, 30), 400)}
    for row in customers.rows("raw"):
        if row["user_id"] in deleted:
            assert (row["change"]["operation"], row["email"], row["plan"], row["visits"]) == ("d", None, None, None)
    everything = repr(customers.rows("raw"))
    assert [number for number in (*range(10, 30), 300) if f"'mail{number}@example.com'" in everything] == []


def test_an_undeclared_column_is_not_even_read(customers: Customers) -> None:
    assert customers.rows("unknown") == []
    assert "secret_note" not in repr(customers.rows("raw"))


def test_tokens_are_those_of_the_event_stream(customers: Customers) -> None:
    stream = customers.events
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    pipeline = PipelineProcess(stream.name, stream.servers.home.root, stream.project.root)
    try:
        stream.publish(json.dumps(event(1, user_id="user_000005", timestamp=now)).encode())
        pipeline.wait_for(1)
    finally:
        pipeline.stop()
    (row,) = stream.rows("anonymized", "user_id")
    assert row["user_id"] == tokens(customers)["user_000005"]


def test_the_slot_lets_go_of_what_is_staged(customers: Customers) -> None:
    with customers.postgres.connect() as connection:
        query = "SELECT count(*) FROM pg_logical_slot_peek_binary_changes(%s, NULL, NULL, 'proto_version', '1', "
        query += "'publication_names', %s)"
        name = customers.changes.name
        found = connection.execute(query, [name, name]).fetchone()
    assert found == (0,)


def test_tables_of_changes_keep_their_columns(customers: Customers) -> None:
    table = tables(customers.changes.contract, customers.changes.policy)["anonymized"]
    assert [column.name for column in table.columns][-5:] == ["email", "plan", "visits", "joined", "change"]
