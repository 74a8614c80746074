"""Patches of statements, each beside what fails without it."""

import datetime
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest
from google.cloud import bigquery

from tests.scripts.stack.warehouse.patches.emulators import Emulator


def create_as_select(emulator: Emulator) -> bigquery.QueryJob:
    job = emulator.client.query("CREATE OR REPLACE TABLE d.made AS SELECT x FROM UNNEST([1, 2]) x")
    assert list(job.result()) == []
    return job


def test_ctas_destination(patched: Emulator) -> None:
    assert str(create_as_select(patched).destination) == "noren-test.d.made"
    assert patched.rows("SELECT x FROM d.made ORDER BY x") == [{"x": 1}, {"x": 2}]


def test_ctas_destination_without(bare: Emulator) -> None:
    assert create_as_select(bare).destination is None


SET_STRUCT = """
    DECLARE lowest, highest INT64; DECLARE days ARRAY<DATE>;
    SET (lowest, highest) = (SELECT AS STRUCT MIN(x), MAX(x) FROM UNNEST([3, 1, 2]) x);
    SET (days) = (SELECT AS STRUCT ARRAY_AGG(DISTINCT d) FROM UNNEST([DATE '2026-01-02']) d);
    SELECT lowest, highest, days
"""


def test_set_struct(patched: Emulator) -> None:
    assert patched.rows(SET_STRUCT) == [{"lowest": 1, "highest": 3, "days": [datetime.date(2026, 1, 2)]}]


def test_set_struct_refuses_another_number_of_fields(patched: Emulator) -> None:
    with pytest.raises(BadRequest, match=r"variables \(2\) and of struct fields \(1\)"):
        patched.rows("DECLARE a, b INT64; SET (a, b) = (SELECT AS STRUCT 1); SELECT a")


def test_set_struct_without(bare: Emulator) -> None:
    with pytest.raises(BadRequest, match="Unimplemented type for cast"):
        bare.rows(SET_STRUCT)


def refresh(emulator: Emulator, options: str) -> tuple[Any, Any]:
    emulator.rows("CREATE OR REPLACE TABLE d.base AS SELECT 1 AS x")
    emulator.rows(f"CREATE MATERIALIZED VIEW d.seen {options} AS SELECT x, COUNT(*) AS n FROM d.base GROUP BY x")
    table = emulator.client.get_table("d.seen")
    return table.mview_enable_refresh, table.mview_refresh_interval


def test_materialized_view(patched: Emulator) -> None:
    assert refresh(patched, "") == (True, datetime.timedelta(minutes=30))
    patched.rows("ALTER MATERIALIZED VIEW d.seen SET OPTIONS (enable_refresh = false, refresh_interval_minutes = 90)")
    table = patched.client.get_table("d.seen")
    assert (table.mview_enable_refresh, table.mview_refresh_interval) == (False, datetime.timedelta(minutes=90))
    assert patched.rows("SELECT x, n FROM d.seen") == [{"x": 1, "n": 1}]


def test_materialized_view_without(bare: Emulator) -> None:
    assert refresh(bare, "OPTIONS (refresh_interval_minutes = 60)") == (None, None)
    with pytest.raises(BadRequest, match=r"(?i)unexpected materialized"):
        bare.rows("ALTER MATERIALIZED VIEW d.seen SET OPTIONS (enable_refresh = false)")


def tables_of_a_script(emulator: Emulator, table: str) -> list[str]:
    emulator.client.query(f"CREATE TABLE d.{table} (x STRING)").result()
    script = f"DECLARE v STRING DEFAULT (SELECT max(x) FROM d.{table}); SELECT v"
    job = emulator.client.query(script, job_config=bigquery.QueryJobConfig(dry_run=True))
    return [found.table_id for found in job.referenced_tables]


def test_script_dry_run(patched: Emulator) -> None:
    assert tables_of_a_script(patched, "in_a_script") == ["in_a_script"]


def test_script_dry_run_without(bare: Emulator) -> None:
    assert tables_of_a_script(bare, "in_a_script") == []
