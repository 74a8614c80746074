"""Patches of values, columns and rows that are written, each beside what fails without it."""

import concurrent.futures
import uuid
from typing import Any

import pyarrow as pa
import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError
from google.cloud import bigquery

from dataflow.sinks.write_service import Piece, WriteService
from scripts.stack.gateway.upstream import identity
from tests.scripts.stack.warehouse.patches.emulators import Emulator, load, parquet


def load_bytes(emulator: Emulator, table: str) -> list[dict[str, Any]]:
    """What is read back of a Parquet file with a BYTES column, loaded under a schema."""
    config = bigquery.LoadJobConfig(source_format="PARQUET", schema=[bigquery.SchemaField("sealed", "BYTES")])
    file = parquet(pa.table({"sealed": [b"\x00\xff", None]}))
    emulator.client.load_table_from_file(file, table, job_config=config).result()
    return emulator.rows(f"SELECT sealed FROM {table} ORDER BY sealed")


def test_typed_bytes(patched: Emulator) -> None:
    assert load_bytes(patched, "d.sealed") == [{"sealed": None}, {"sealed": b"\x00\xff"}]


def test_typed_bytes_without(bare: Emulator) -> None:
    with pytest.raises(BadRequest, match="from_base64"):
        load_bytes(bare, "d.sealed")


def test_load_job_keeps_nested_and_repeated_values(patched: Emulator) -> None:
    load(patched.client, "nested", "d.nested").result()
    assert patched.rows("SELECT id, tags, at FROM d.nested ORDER BY id") == [
        {"id": 1, "tags": ["a"], "at": {"lat": 35.6}},
        {"id": 2, "tags": [], "at": {"lat": 35.7}},
        {"id": 3, "tags": ["b", "c"], "at": None},
    ]


def insert_into(emulator: Emulator, column: str) -> list[dict[str, Any]]:
    """What insertAll says of a text in a column of numbers with this name."""
    table = bigquery.Table(f"{emulator.client.project}.d.named", [bigquery.SchemaField("plain", "STRING")])
    emulator.client.delete_table(table, not_found_ok=True)
    emulator.client.query_and_wait(f"CREATE TABLE d.named AS SELECT 1 AS `{column}`")
    found: list[dict[str, Any]] = emulator.client.insert_rows_json(table, [{column: "x"}], retry=None)
    return found


HOSTILE = "n' ELSE (SELECT 'run') END, CASE WHEN true THEN '"


def test_column_names(patched: Emulator) -> None:
    [refused] = insert_into(patched, HOSTILE)
    assert [error["location"] for error in refused["errors"]] == [HOSTILE]


def test_column_names_without(bare: Emulator) -> None:
    with pytest.raises(GoogleAPICallError):
        insert_into(bare, HOSTILE)


def with_a_part_more(emulator: Emulator, name: str) -> list[str]:
    """Parts of a struct and of an array of structs after an update of the schema that adds `more` to both."""

    def fields(*parts: str) -> list[bigquery.SchemaField]:
        inner = [bigquery.SchemaField(part, "STRING") for part in parts]
        modes = {"one": "NULLABLE", "many": "REPEATED"}
        return [bigquery.SchemaField(name, "RECORD", mode, fields=inner) for name, mode in modes.items()]

    table = emulator.client.create_table(bigquery.Table(f"{emulator.client.project}.d.{name}", fields("part")))
    table.schema = fields("part", "more")
    emulator.client.update_table(table, ["schema"])
    live = emulator.client.get_table(table)
    return [f"{column.name}.{part.name}" for column in live.schema for part in column.fields]


def test_nested_columns(patched: Emulator) -> None:
    assert with_a_part_more(patched, "grown") == ["one.part", "one.more", "many.part", "many.more"]


def test_nested_columns_without(bare: Emulator) -> None:
    assert with_a_part_more(bare, "grown") == ["one.part", "many.part"]


def rows_of_one_offset(emulator: Emulator, rounds: int) -> set[int]:
    """Rows of streams to which four clients append the same 300 rows at once, at offset 0; until they are not 300."""
    service = WriteService(emulator.endpoints.warehouse_grpc, emulator.endpoints.secret)
    rows = pa.table({"id": pa.array(range(300))})
    batch = rows.to_batches()[0].serialize().to_pybytes()
    found: set[int] = set()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for _ in range(rounds):
            name = f"d.streamed_{uuid.uuid4().hex[:8]}"
            emulator.rows(f"CREATE TABLE {name} (id INT64)")
            stream, _ = service.create(f"projects/noren-test/datasets/d/tables/{name.removeprefix('d.')}")

            def append(stream: str = stream) -> None:
                list(service.append(stream, rows.schema, [Piece(0, 300, batch)], 0))

            for call in [pool.submit(append) for _ in range(4)]:
                call.result()
            found.add(emulator.rows(f"SELECT COUNT(*) AS n FROM {name}")[0]["n"])
            if found - {300}:
                break
    return found


def test_one_offset(patched: Emulator) -> None:
    assert rows_of_one_offset(patched, 3) == {300}


def test_one_offset_without(bare: Emulator) -> None:
    assert rows_of_one_offset(bare, 30) - {300}


def rows_of_a_member(emulator: Emulator, table: str) -> int:
    """Rows that a member of a group sees of a table whose row access policy names the group."""
    emulator.client.query(f"CREATE TABLE d.{table} AS SELECT 1 AS x").result()
    grant = f"CREATE ROW ACCESS POLICY p ON d.{table} GRANT TO ('group:g@example.com') FILTER USING (true)"
    emulator.client.query(grant).result()
    emulator.client._http.headers["authorization"] = identity("ana@example.com", ["g@example.com"])
    try:
        return emulator.client.query(f"SELECT * FROM d.{table}").result().total_rows
    finally:
        del emulator.client._http.headers["authorization"]
        emulator.client.query(f"DROP ALL ROW ACCESS POLICIES ON d.{table}").result()


def test_row_groups(patched: Emulator) -> None:
    assert rows_of_a_member(patched, "for_a_group") == 1


def test_row_groups_without(bare: Emulator) -> None:
    assert rows_of_a_member(bare, "for_a_group") == 0
