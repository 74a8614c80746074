"""dbt sources from contract and policy."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from dataflow.contract import load_contracts
from dataflow.policy import load_policy
from dataflow.schemas.dbt import HEADER, sources

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: urn:noren:contract:{stream}
name: {stream}
version: 2.1.0
status: active
domain: shop
schema:
  - name: {stream}
    logicalType: object
    physicalType: table
    description: One order.
    customProperties: [{{property: eventTime, value: at}}]
    properties:
      - {{name: id, logicalType: string, required: true, primaryKey: true, classification: identifier}}
      - {{name: at, logicalType: timestamp, required: true, classification: quasi_identifier}}
      - {{name: note, logicalType: string, classification: free_text, description: What the person wrote.}}
      - name: place
        logicalType: object
        description: Where to.
        properties:
          - {{name: country, logicalType: string, classification: public, description: "Country, as a code."}}
          - {{name: street, logicalType: string, classification: sensitive}}
"""
POLICY = """
version: 1.0.0
classifications:
  identifier: {method: token}
  quasi_identifier: {method: drop}
  free_text: {method: drop}
  sensitive: {method: drop}
  public: {method: keep}
streams:
  order: {fields: {at: {method: truncate_time, unit: hour}}}
  refund: {fields: {at: {method: truncate_time, unit: hour}}}
"""


@pytest.fixture
def text(tmp_path: Path) -> str:
    for stream in ("order", "refund"):
        (tmp_path / f"{stream}.yaml").write_text(CONTRACT.format(stream=stream))
    (tmp_path / "policy").write_text(POLICY)
    return sources(load_contracts(tmp_path).values(), load_policy(tmp_path / "policy"))


@pytest.fixture
def columns(text: str) -> dict[str, dict[str, Any]]:
    return {column["name"]: column for column in yaml.safe_load(text)["sources"][0]["tables"][0]["columns"]}


def test_first_line_says_which_command_makes_the_file(text: str) -> None:
    assert text.startswith("# Made by `noren contract render dbt`")
    assert text.splitlines()[0] + "\n" == HEADER


def test_one_source_a_dataset_and_one_table_a_stream(text: str) -> None:
    [source] = yaml.safe_load(text)["sources"]
    assert source["name"] == source["schema"] == "anonymized__shop"
    assert [table["name"] for table in source["tables"]] == ["order", "refund"]
    assert source["config"]["meta"] == {"lane": "pseudonymized"}


def test_freshness_is_that_of_the_receive_time(text: str) -> None:
    config = yaml.safe_load(text)["sources"][0]["config"]
    assert config["loaded_at_field"] == "receive_time"
    assert config["freshness"] == {
        "warn_after": {"count": 6, "period": "hour"},
        "error_after": {"count": 24, "period": "hour"},
    }


def test_dropped_fields_are_no_columns(columns: dict[str, dict[str, Any]]) -> None:
    own = ["event_token", "event_time", "receive_time", "key_epoch", "contract_version", "policy_version", "batch_id"]
    assert list(columns) == [*own, "id", "at", "place", "place.country"]


def test_a_column_tells_what_it_is_and_what_was_done_with_it(columns: dict[str, dict[str, Any]]) -> None:
    assert columns["id"]["config"] == {"meta": {"classification": "identifier", "method": "token"}}
    assert columns["place.country"] == {
        "name": "place.country",
        "data_type": "STRING",
        "description": "Country, as a code. (keep)",
        "config": {"meta": {"classification": "public", "method": "keep"}},
    }


def test_a_struct_is_typed_by_what_is_left_of_it(columns: dict[str, dict[str, Any]]) -> None:
    assert columns["place"] == {"name": "place", "data_type": "STRUCT<country STRING>", "description": "Where to."}


def test_a_table_names_its_contract(text: str) -> None:
    table = yaml.safe_load(text)["sources"][0]["tables"][1]
    assert table["config"] == {"meta": {"contract": "refund 2.1.0", "partition_by": "event_time"}}
    assert table["description"] == "One order. Pseudonymized: stable keyed tokens, personal data still."
