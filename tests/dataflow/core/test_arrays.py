"""Arrays and free-form objects: a contract with both, through the core."""

import datetime
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dataflow.contract import Contract, load_contract
from dataflow.core import Anonymizer, Batch, Outcome
from dataflow.errors import NorenError
from dataflow.keys import KeyRing
from dataflow.methods.maps import ScrubMap
from dataflow.policy import Policy, load_policy
from dataflow.schemas import anonymized_table, raw_table
from tests.dataflow.cases import RECEIVED

ORDER = Path(__file__).parents[1] / "order"
DAY = datetime.date(2026, 2, 3)


def order(number: int = 1, **changes: Any) -> dict[str, Any]:
    whole = {
        "id": f"order-{number}",
        "at": "2026-01-15T09:30:12.345678Z",
        "emails": ["a@example.com", "b@example.com"],
        "seen": ["2026-01-15T09:30:12Z", "2026-01-15T08:59:59Z"],
        "lines": [
            {
                "article": "ring",
                "count": 2,
                "engraving": "call me at me@example.com",
                "secret": "s",
                "wanted": "2026-02-03",
                "recipient": {"person": "bob", "codes": [1, 2]},
            },
            {"article": "box", "count": 1},
        ],
        "properties": {"note": "mail a@example.com", "referrer": "search", "deep": [{"x": "b@example.com"}], "n": 7},
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load_contract(ORDER / "order.yaml")


@pytest.fixture(scope="module")
def rules() -> Policy:
    return load_policy(ORDER / "policy.yaml")


@pytest.fixture(scope="module")
def anonymizer(contract: Contract, rules: Policy, keys: KeyRing) -> Anonymizer:
    return Anonymizer(contract, rules, keys)


def process(anonymizer: Anonymizer, *orders: dict[str, Any]) -> Outcome:
    return anonymizer.process(Batch([json.dumps(one).encode() for one in orders], [RECEIVED] * len(orders)))


def test_methods_are_done_to_each_item(anonymizer: Anonymizer, keys: KeyRing) -> None:
    row = process(anonymizer, order()).anonymized.to_dicts()[0]
    token = keys.token_key("shops", row["key_epoch"]).token
    utc = datetime.UTC
    assert row["emails"] == [token("a@example.com"), token("b@example.com")]
    assert row["seen"] == [datetime.datetime(2026, 1, 15, 9, tzinfo=utc), datetime.datetime(2026, 1, 15, 8, tzinfo=utc)]
    assert row["lines"] == [
        {
            "article": "ring",
            "count": 2,
            "engraving": "call me at <EMAIL>",
            "wanted": DAY,
            "recipient": {"person": token("bob"), "codes": [1, 2]},
        },
        {"article": "box", "count": 1, "engraving": None, "wanted": None, "recipient": None},
    ]


def test_the_raw_row_holds_everything(anonymizer: Anonymizer) -> None:
    row = process(anonymizer, order()).raw.to_dicts()[0]
    assert row["emails"] == ["a@example.com", "b@example.com"]
    assert row["lines"][0]["secret"] == "s"
    assert json.loads(row["properties"]) == order()["properties"]


def test_a_map_is_json_text_with_its_strings_scrubbed_and_keys_dropped(anonymizer: Anonymizer) -> None:
    row = process(anonymizer, order()).anonymized.to_dicts()[0]
    assert json.loads(row["properties"]) == {"note": "mail <EMAIL>", "deep": [{"x": "<EMAIL>"}], "n": 7}


def test_an_escaped_address_in_a_map_is_found(anonymizer: Anonymizer) -> None:
    payload = json.dumps(order()).replace("mail a@example.com", "mail a\\u0040example.com").encode()
    row = anonymizer.process(Batch([payload], [RECEIVED])).anonymized.to_dicts()[0]
    assert json.loads(row["properties"])["note"] == "mail <EMAIL>"


def test_no_array_is_an_empty_one_and_no_map_is_null(anonymizer: Anonymizer) -> None:
    outcome = process(anonymizer, order(1, emails=None, lines=None, properties=None, seen=[]), order(2))
    for frame in (outcome.raw, outcome.anonymized):
        row = frame.to_dicts()[0]
        assert (row["emails"], row["seen"], row["lines"], row["properties"]) == ([], [], [], None)


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"emails": ["nobody"]}, "invalid_format", "emails"),
        ({"emails": [None]}, "wrong_type", "emails"),
        ({"emails": "a@example.com"}, "wrong_type", "emails"),
        ({"emails": ["a@example.com"] * 4}, "wrong_length", "emails"),
        ({"seen": None}, "missing_field", "seen"),
        ({"seen": ["2026-01-15T09:30:12Z", "now"]}, "invalid_timestamp", "seen"),
        ({"lines": [{"count": 1}]}, "missing_field", "lines.article"),
        ({"lines": [{"article": "", "count": 1}]}, "wrong_length", "lines.article"),
        ({"lines": [{"article": "a", "count": 1}, {"article": "a", "count": 0}]}, "out_of_range", "lines.count"),
        ({"lines": [{"article": "a", "count": 1, "wanted": "2026-02-30"}]}, "invalid_date", "lines.wanted"),
        ({"lines": [{"article": "a", "count": 1, "recipient": {}}]}, "missing_field", "lines.recipient.person"),
        ({"properties": []}, "wrong_type", "properties"),
    ],
)
def test_a_wrong_item_has_its_reason_and_the_contracts_path(
    anonymizer: Anonymizer, changes: dict[str, Any], reason: str, field: str
) -> None:
    payload = order(1, **changes)
    outcome = process(anonymizer, order(2), payload, order(3))
    assert [(reject.index, reject.reason.value, reject.field) for reject in outcome.rejects] == [(1, reason, field)]
    assert list(outcome.index) == [0, 2]


def test_an_undeclared_field_of_items_is_counted_once_an_event(anonymizer: Anonymizer) -> None:
    line = {"article": "a", "count": 1, "colour": "red", "recipient": {"person": "p", "street": "s"}}
    outcome = process(anonymizer, order(1, lines=[line, line]))
    assert outcome.rejects == []
    assert sorted(outcome.unknown) == [(0, "lines.colour", "string"), (0, "lines.recipient.street", "string")]


@pytest.mark.parametrize("orders", [[], [order(emails=None, lines=None, properties=None, seen=[])], [order()] * 3])
def test_frames_have_the_tables_schemas(
    anonymizer: Anonymizer, contract: Contract, rules: Policy, orders: list[dict[str, Any]]
) -> None:
    outcome = process(anonymizer, *orders)
    for frame, table in ((outcome.raw, raw_table(contract)), (outcome.anonymized, anonymized_table(contract, rules))):
        wanted = table.polars()
        del wanted["batch_id"]
        assert dict(frame.schema) == wanted


def test_arrays_are_repeated_columns(contract: Contract, rules: Policy) -> None:
    columns = {column["name"]: column for column in anonymized_table(contract, rules).bigquery()}
    assert (columns["emails"]["type"], columns["emails"]["mode"]) == ("STRING", "REPEATED")
    assert (columns["lines"]["type"], columns["lines"]["mode"]) == ("RECORD", "REPEATED")
    assert [field["name"] for field in columns["lines"]["fields"]] == [
        "article", "count", "engraving", "wanted", "recipient",
    ]  # fmt: skip
    assert (columns["properties"]["type"], columns["properties"]["mode"]) == ("STRING", "NULLABLE")


def test_scrubbing_a_column_is_scrubbing_each_value(contract: Contract) -> None:
    texts = ['{"a":"x@example.com","b":1}', None, "{}", '{"referrer":{"r":1},"c":["+81 90-1234-5678",null]}']
    method = ScrubMap(drop=("referrer",))
    field = contract.columns()[-1]
    frame = pl.DataFrame({"m": texts}, schema={"m": pl.String()})
    found = frame.select(method.expression(pl.col("m"), field, None))["m"].to_list()  # type: ignore[arg-type]
    assert found == [None if text is None else method.reference(text, field, None) for text in texts]  # type: ignore[arg-type]


def with_field(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "order.yaml"
    path.write_text((ORDER / "order.yaml").read_text() + text)
    return path


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("      - {name: x, logicalType: array}\n", "order.yaml: x: an array needs items, and only an array has them."),
        (
            "      - {name: x, logicalType: array, items: {logicalType: array, items: {logicalType: string}}}\n",
            "order.yaml: x: an array's items are scalars or objects without maps: BigQuery nests no arrays.",
        ),
        (
            "      - {name: x, logicalType: map, map: {key: {logicalType: string}, value: {logicalType: string}}}\n",
            "order.yaml: x: map: must be {key: {logicalType: string}, value: {logicalType: object}}: free-form.",
        ),
    ],
)
def test_a_wrong_array_or_map_in_a_contract_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(NorenError) as caught:
        load_contract(with_field(tmp_path, text))
    assert str(caught.value) == sentence


def test_an_unknown_format_is_refused_with_those_there_are(tmp_path: Path) -> None:
    path = tmp_path / "order.yaml"
    text = (ORDER / "order.yaml").read_text()
    path.write_text(text.replace("value: at}", "value: at}\n      - {property: format, value: xml}"))
    with pytest.raises(NorenError, match="format: xml is unknown; use json, ndjson, avro, protobuf, log_entry"):
        load_contract(path)
