"""No byte of what the curtain hides stays in the memory of what goes through it."""

import json
import struct
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from dataflow.contract import load_contract
from dataflow.core import Anonymizer, Batch
from dataflow.core.apart import apart
from dataflow.keys import KeyRing
from dataflow.policy import load_policy
from tests.dataflow.cases import RECEIVED
from tests.dataflow.conftest import HERE
from tests.dataflow.core.test_arrays import order


def memory(column: Any) -> bytes:
    """Everything that an Arrow column's buffers hold, those of its children too."""
    held = b""
    for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
        held += b"".join(bytes(part) for part in chunk.buffers() if part is not None)
        if pa.types.is_struct(chunk.type):
            held += b"".join(memory(chunk.field(number)) for number in range(chunk.type.num_fields))
        elif pa.types.is_list(chunk.type) or pa.types.is_large_list(chunk.type):
            held += memory(chunk.values)
    return held


def nowhere(addresses: pl.Series) -> pl.Series:
    return pl.Series([None] * len(addresses), dtype=pl.String)


def visit(number: int, **changes: Any) -> dict[str, Any]:
    whole = {
        "shop": 1,
        "id": f"visit-{number}",
        "at": "2026-01-15T09:30:00Z",
        "till": {"cashier": "SECRET of the till"},
    }
    return whole | changes


VISITS = [
    visit(1, note="write to SECRET@example.com, please do"),
    visit(2, email="a-long-SECRET@example.com", ip="203.0.113.99", user_agent="SECRET/1.0 of a browser"),
    visit(3, at="2099-01-01T00:00:00Z", note="of an event that is refused later: SECRET"),
    visit(4, age=151, note="of an event that is refused: SECRET"),
    visit(5, app="11.22.33.SECRET"),
]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        ("visit", VISITS),
        ("order", [order(1, properties={"note": "mail SECRET@example.com today", "referrer": "SECRET referrer"})]),
        ("order", [order(1, emails=["SECRET@example.com"]), order(2, seen=["SECRET"])]),
    ],
)
def test_anonymized_columns_hold_their_own_values_alone(
    stream: str, events: list[dict[str, Any]], keys: KeyRing
) -> None:
    anonymizer = Anonymizer(
        load_contract(HERE / stream / f"{stream}.yaml"),
        load_policy(HERE / stream / "policy.yaml"),
        keys,
        nowhere,
    )
    outcome = anonymizer.process(Batch([json.dumps(event).encode() for event in events], [RECEIVED] * len(events)))
    assert not outcome.anonymized.is_empty()
    for level in (pl.CompatLevel.newest(), pl.CompatLevel.oldest()):
        table = outcome.anonymized.to_arrow(compat_level=level)
        for name in table.column_names:
            assert b"SECRET" not in memory(table[name]), name


def test_the_numbers_of_a_refused_event_are_not_under_the_next_ones_nulls(keys: KeyRing) -> None:
    anonymizer = Anonymizer(
        load_contract(HERE / "visit" / "visit.yaml"), load_policy(HERE / "visit" / "policy.yaml"), keys, nowhere
    )
    refused = json.dumps(visit(1, spent=4242.5, age=77, place={"latitude": 48.5, "longitude": 2.5})).encode()[:-1]
    outcome = anonymizer.process(Batch([refused, json.dumps(visit(2)).encode()], [RECEIVED] * 2))
    assert len(outcome.anonymized) == 1
    for table in (outcome.raw.to_arrow(), outcome.anonymized.to_arrow()):
        held = b"".join(memory(table[name]) for name in table.column_names)
        for secret in (struct.pack("<d", 4242.5), struct.pack("<q", 77), struct.pack("<d", 48.5)):
            assert secret not in held


HIDDEN = pl.DataFrame(
    {
        "show": [True, False, False],
        "text": ["a text that may be seen", "a SECRET that may not", "SECRET"],
        "number": [1, 7_777_777, 7_777_777],
        "texts": [["a text that may be seen"], ["a SECRET that may not", "SECRET"], ["SECRET"]],
        "numbers": [[1], [7_777_777], [7_777_777, 7_777_777]],
        "parts": [{"a": "seen", "b": 1}, {"a": "SECRET", "b": 7_777_777}, {"a": "SECRET", "b": 7_777_777}],
    }
)


@pytest.mark.parametrize("name", ["text", "number", "texts", "numbers", "parts"])
def test_what_a_method_made_null_is_not_under_the_null(name: str) -> None:
    shown = HIDDEN.select(pl.when("show").then(pl.col(name)))
    held = memory(apart(shown[name]).to_arrow(compat_level=pl.CompatLevel.newest()))
    assert b"SECRET" not in held
    assert struct.pack("<q", 7_777_777) not in held
    assert apart(shown[name]).equals(shown[name])


def test_what_a_method_made_null_in_an_array_is_not_under_the_null() -> None:
    whole = HIDDEN.select(pl.concat_list("parts").alias("a"), "show")
    element = pl.element().struct.field("a")
    shown = whole.select(pl.col("a").list.eval(pl.struct(pl.when(~element.str.contains("SEC")).then(element))))
    held = memory(apart(shown["a"]).to_arrow(compat_level=pl.CompatLevel.newest()))
    assert b"SECRET" not in held
    assert apart(shown["a"]).equals(shown["a"])
