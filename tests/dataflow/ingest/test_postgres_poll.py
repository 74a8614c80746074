"""A real PostgreSQL table polled by a cursor column: ties, late commits, and a new key epoch."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.dataflow.ingest.conftest import Customers, made_customers
from tests.dataflow.ingest.importing import kill_after, run, sentence
from tests.postgres import Postgres

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def customers(servers: Any, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Customers]:
    """250 rows of one cursor value, imported across a kill; then changes; then what commits late."""
    for made in made_customers(servers, tmp_path_factory.mktemp("project"), postgres, {"cursor": "updated_at"}):
        table = made.changes.name
        stamp = "'2026-01-01 00:00:00.123456+00'::timestamptz"
        postgres.run(
            f"INSERT INTO {table} SELECT 'u' || lpad(n::text, 4, '0'), NULL, 'free', n, NULL, 'x', {stamp} "
            "FROM generate_series(1, 250) n"
        )
        kill_after(made.changes, 2, "postgres", made.config, "--rows", 60)
        run(made.changes, "postgres", made.config, "--rows", 60)
        with postgres.connect() as late:
            late.autocommit = False
            late.execute(f"INSERT INTO {table} VALUES ('late', NULL, 'free', 1, NULL, 'x', {stamp} + interval '1 min')")
            postgres.run(f"UPDATE {table} SET plan = 'paid', updated_at = {stamp} + interval '2 min' WHERE visits < 10")
            run(made.changes, "postgres", made.config)
            late.commit()
        run(made.changes, "postgres", made.config)
        yield made


def test_every_row_and_every_change_is_there_once(customers: Customers) -> None:
    assert Counter(row["change"]["operation"] for row in customers.rows("raw")) == {"r": 250 + 9 + 1}
    assert set(Counter(row["event_token"] for row in customers.rows("raw")).values()) == {1}


def test_the_current_state_has_the_newest_of_each_row(customers: Customers) -> None:
    assert Counter(row["plan"] for row in customers.current()) == {"free": 242, "paid": 9}


def test_a_cursor_that_may_be_null_is_refused(customers: Customers) -> None:
    config = customers.config.with_name("null.yaml")
    config.write_text(customers.config.read_text().replace("cursor: updated_at", "cursor: joined"))
    said = sentence(customers.changes, "postgres", config)
    assert said == (
        f"public.{customers.changes.name}: joined is null in some rows, which a poll never sees; "
        "choose another cursor, or follow the changes."
    )


def test_a_password_in_the_file_is_not_repeated(customers: Customers) -> None:
    config = customers.config.with_name("secret.yaml")
    text = customers.config.read_text()
    reference = next(line for line in text.splitlines() if "password:" in line)
    config.write_text(text.replace(reference, "  password: hunter2-very-secret"))
    said = sentence(customers.changes, "postgres", config)
    assert "hunter2" not in said
    assert "secret" in said


def test_a_table_that_is_not_there_is_one_sentence(customers: Customers) -> None:
    config = customers.config.with_name("gone.yaml")
    config.write_text(customers.config.read_text().replace(f"public.{customers.changes.name}", "public.gone"))
    assert sentence(customers.changes, "postgres", config) == "public.gone: postgres has no such table."
