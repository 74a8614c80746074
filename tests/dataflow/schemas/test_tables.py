"""Tables as contract and policy make them, in polars' words and in BigQuery's."""

from typing import Any

import polars as pl
import pytest

from dataflow.contract import RESERVED, Contract
from dataflow.policy import Policy
from dataflow.schemas import anonymized_table, dead_letter_table, raw_table, tables, unknown_field_table
from dataflow.schemas.columns import Column, ColumnType, Table

TIME = pl.Datetime("us", "UTC")
OWN = {
    "event_token": pl.String(),
    "event_time": TIME,
    "receive_time": TIME,
    "key_epoch": pl.Int64(),
    "contract_version": pl.String(),
    "policy_version": pl.String(),
    "batch_id": pl.String(),
}


def shape(columns: list[dict[str, Any]]) -> dict[str, Any]:
    """name -> `TYPE MODE`, or of a record its parts too."""
    return {
        column["name"]: (f"{column['type']} {column['mode']}", shape(column["fields"]))
        if "fields" in column
        else f"{column['type']} {column['mode']}"
        for column in columns
    }


def test_raw_has_every_declared_field_as_it_is(visit: Contract) -> None:
    assert raw_table(visit).polars() == OWN | {
        "shop": pl.Int64(),
        "id": pl.String(),
        "at": TIME,
        "left_at": TIME,
        "born": pl.Date(),
        "ip": pl.String(),
        "user_agent": pl.String(),
        "email": pl.String(),
        "note": pl.String(),
        "age": pl.Int64(),
        "member": pl.Boolean(),
        "customer_number": pl.Int64(),
        "spent": pl.Float64(),
        "app": pl.String(),
        "class": pl.String(),
        "secret": pl.String(),
        "place": pl.Struct(
            {
                "latitude": pl.Float64(),
                "longitude": pl.Float64(),
                "floor": pl.Struct({"level": pl.Int64(), "name": pl.String()}),
            }
        ),
        "till": pl.Struct({"number": pl.Int64(), "cashier": pl.String()}),
    }


def test_anonymized_has_what_the_policy_leaves_and_what_it_derives(visit: Contract, visit_policy: Policy) -> None:
    assert anonymized_table(visit, visit_policy).polars() == OWN | {
        "shop": pl.Int64(),
        "id": pl.String(),
        "at": TIME,
        "left_at": TIME,
        "born": pl.Date(),
        "ip": pl.String(),
        "email": pl.String(),
        "note": pl.String(),
        "age": pl.Int64(),
        "member": pl.Boolean(),
        "customer_number": pl.String(),  # a token now
        "spent": pl.Float64(),
        "app": pl.String(),
        "class": pl.String(),
        "place": pl.Struct(
            {
                "latitude": pl.Float64(),
                "longitude": pl.Float64(),
                "floor": pl.Struct({"level": pl.Int64(), "name": pl.String()}),
            }
        ),
        "till": pl.Struct({"cashier": pl.String()}),
        "country": pl.String(),
        "browser": pl.String(),
        "day": TIME,
    }


def test_a_field_without_classification_or_rule_leaves_no_column(visit: Contract, visit_policy: Policy) -> None:
    paths = {column.path for column in anonymized_table(visit, visit_policy).leaves()}
    assert paths & {"secret", "user_agent", "till.number"} == set()


def test_bigquerys_words_for_it(visit: Contract) -> None:
    assert shape(raw_table(visit).bigquery()) == {
        "event_token": "STRING REQUIRED",
        "event_time": "TIMESTAMP REQUIRED",
        "receive_time": "TIMESTAMP REQUIRED",
        "key_epoch": "INTEGER REQUIRED",
        "contract_version": "STRING REQUIRED",
        "policy_version": "STRING REQUIRED",
        "batch_id": "STRING REQUIRED",
        "shop": "INTEGER REQUIRED",
        "id": "STRING REQUIRED",
        "at": "TIMESTAMP REQUIRED",
        "left_at": "TIMESTAMP NULLABLE",
        "born": "DATE NULLABLE",
        "ip": "STRING NULLABLE",
        "user_agent": "STRING NULLABLE",
        "email": "STRING NULLABLE",
        "note": "STRING NULLABLE",
        "age": "INTEGER NULLABLE",
        "member": "BOOLEAN NULLABLE",
        "customer_number": "INTEGER NULLABLE",
        "spent": "FLOAT NULLABLE",
        "app": "STRING NULLABLE",
        "class": "STRING NULLABLE",
        "secret": "STRING NULLABLE",
        "place": (
            "RECORD NULLABLE",
            {
                "latitude": "FLOAT REQUIRED",
                "longitude": "FLOAT REQUIRED",
                "floor": ("RECORD NULLABLE", {"level": "INTEGER NULLABLE", "name": "STRING NULLABLE"}),
            },
        ),
        "till": ("RECORD REQUIRED", {"number": "INTEGER NULLABLE", "cashier": "STRING NULLABLE"}),
    }


def test_every_anonymized_field_is_nullable(app_event: Contract, policy: Policy) -> None:
    table = anonymized_table(app_event, policy)
    required = {column.name for column in table.columns if column.required}
    assert required == set(OWN)
    assert not any(leaf.required for column in table.columns if column.name not in OWN for leaf in column.leaves())


def test_every_stream_table_has_the_reserved_columns_first(visit: Contract, visit_policy: Policy) -> None:
    assert set(OWN) == RESERVED
    for table in (raw_table(visit), anonymized_table(visit, visit_policy)):
        assert [column.name for column in table.columns[: len(OWN)]] == list(OWN)


def test_where_a_table_lies_how_it_is_cut_and_what_its_labels_say(visit: Contract, visit_policy: Policy) -> None:
    raw, anonymized = raw_table(visit), anonymized_table(visit, visit_policy)
    assert [(table.id, table.partition_by, table.labels) for table in (raw, anonymized)] == [
        ("raw__shops.visit", "receive_time", {"stream": "visit"}),
        ("anonymized__shops.visit", "event_time", {"stream": "visit", "lane": "pseudonymized"}),
    ]


def test_the_pseudonymized_lane_is_never_called_anonymous(visit: Contract, visit_policy: Policy) -> None:
    table = anonymized_table(visit, visit_policy)
    assert table.description == "Somebody visits a shop. Pseudonymized: stable keyed tokens, personal data still."


def test_a_column_says_what_it_was_and_what_was_done(visit: Contract, visit_policy: Policy) -> None:
    leaves = {leaf.path: leaf for leaf in anonymized_table(visit, visit_policy).leaves()}
    assert (leaves["place.latitude"].classification, leaves["place.latitude"].method) == (
        "location",
        "coarsen_location",
    )
    assert (leaves["country"].classification, leaves["country"].method) == (None, "country")
    assert leaves["event_time"].method is None


@pytest.mark.parametrize("table", [dead_letter_table(), unknown_field_table()], ids=lambda table: table.id)
def test_the_houses_own_tables_are_cut_by_receive_time_and_written_by_groups(table: Table) -> None:
    assert table.partition_by == "receive_time"
    assert table.polars()["batch_id"] == pl.String()


def test_dead_letters_keep_attributes_as_names_and_values_and_bytes_as_bytes() -> None:
    table = dead_letter_table()
    assert table.polars()["attributes"] == pl.List(pl.Struct({"name": pl.String(), "value": pl.String()}))
    assert shape(table.bigquery())["attributes"] == (
        "RECORD REPEATED",
        {"name": "STRING NULLABLE", "value": "STRING NULLABLE"},
    )
    assert shape(table.bigquery())["sealed"] == "BYTES REQUIRED"


def test_a_stream_writes_four_tables(visit: Contract, visit_policy: Policy) -> None:
    assert {role: table.id for role, table in tables(visit, visit_policy).items()} == {
        "raw": "raw__shops.visit",
        "anonymized": "anonymized__shops.visit",
        "dead": "dead_letter.events",
        "unknown": "operations.unknown_fields",
    }


def test_a_description_is_told_where_there_is_one() -> None:
    assert Column("a", "a", ColumnType.STRING).bigquery() == {"name": "a", "type": "STRING", "mode": "NULLABLE"}
    assert Column("a", "a", ColumnType.STRING, description="A.").bigquery()["description"] == "A."
