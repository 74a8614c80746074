"""The method `encrypt`: a column of BYTES that Tink, and so BigQuery, reverses."""

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from dataflow.column_type import ColumnType
from dataflow.contract import Contract, FieldType
from dataflow.core import Anonymizer, Batch
from dataflow.keys import KeyRing, epoch_of
from dataflow.methods import Context, registry
from dataflow.methods.encrypt import Encrypt
from dataflow.policy import Policy, load_policy
from dataflow.schemas import anonymized_table
from tests.dataflow.cases import ACCEPTED, RECEIVED, payloads

ROOT = Path(__file__).parents[3]


@pytest.fixture
def context(keys: KeyRing) -> Context:
    return Context(keys.token_key("app", 22), deterministic=lambda: keys.deterministic_key("app", 22))


def test_it_is_registered_and_says_what_it_does() -> None:
    method = registry()["encrypt"]
    assert method is Encrypt
    assert (method.output, method.reversible, method.lane) == (ColumnType.BYTES, True, "pseudonymized")
    assert method.accepts == {FieldType.STRING, FieldType.INTEGER}


@pytest.mark.parametrize(
    ("path", "values"),
    [("user_id", ["ana", None, "", "山田"]), ("number", [0, None, -7, 2**62])],
)
def test_the_column_is_what_the_reference_makes_of_each_value(
    app_event: Contract, context: Context, keys: KeyRing, path: str, values: list[object]
) -> None:
    text = next(leaf for leaf in app_event.leaves() if leaf.path == "user_id")
    field = text if path == "user_id" else replace(text, type=FieldType.INTEGER)
    made = pl.DataFrame({"value": values}).select(Encrypt().expression(pl.col("value"), field, context))["value"]
    assert made.dtype == pl.Binary
    assert made.to_list() == [None if v is None else Encrypt().reference(v, field, context) for v in values]
    back = [None if sealed is None else keys.deterministic_key("app", 22).value(sealed) for sealed in made]
    assert back == [None if value is None else str(value) for value in values]


def test_a_context_without_a_key_is_a_programming_error(app_event: Contract, keys: KeyRing) -> None:
    field = app_event.leaves()[0]
    with pytest.raises(TypeError, match="needs a context with a deterministic key"):
        Encrypt().expression(pl.col("value"), field, Context(keys.token_key("app", 22)))


@pytest.fixture
def encrypting(tmp_path: Path) -> Policy:
    """The repository's policy, but that it encrypts the user of an app event."""
    text = (ROOT / "dataflow" / "policy.yaml").read_text()
    path = tmp_path / "policy.yaml"
    path.write_text(
        text.replace("  app_event:\n    fields:\n", "  app_event:\n    fields:\n      user_id: {method: encrypt}\n")
    )
    return load_policy(path)


def test_the_table_has_a_bytes_column(app_event: Contract, encrypting: Policy) -> None:
    column = next(column for column in anonymized_table(app_event, encrypting).columns if column.name == "user_id")
    assert column.bigquery() == {
        "name": "user_id",
        "type": "BYTES",
        "mode": "NULLABLE",
        "description": column.description,
    }
    assert column.method == "encrypt"


def test_events_are_encrypted_under_the_key_of_their_epoch(
    app_event: Contract, encrypting: Policy, keys: KeyRing
) -> None:
    events = payloads(ACCEPTED)
    outcome = Anonymizer(app_event, encrypting, keys).process(Batch(events, [RECEIVED] * len(events)))
    assert outcome.anonymized.schema["user_id"] == pl.Binary
    raw, rows = outcome.raw["user_id"].to_list(), outcome.anonymized.select("user_id", "key_epoch").rows()
    assert len(rows) > 1
    key_of = {epoch: keys.deterministic_key("app", epoch) for _, epoch in rows}
    assert [key_of[epoch].value(sealed) for sealed, epoch in rows] == raw
    assert [epoch for _, epoch in rows] == [epoch_of(moment) for moment in outcome.raw["event_time"]]


def test_no_deterministic_key_is_made_where_nothing_is_encrypted(
    app_event: Contract, policy: Policy, tmp_path: Path
) -> None:
    ring = KeyRing.local(tmp_path)
    events = payloads(ACCEPTED)
    Anonymizer(app_event, policy, ring).process(Batch(events, [RECEIVED] * len(events)))
    assert {info.name.kind for info in ring.listing()} == {"token"}
    assert json.loads(events[0])  # events there were
