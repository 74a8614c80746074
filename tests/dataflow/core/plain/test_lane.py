"""The compiled reader takes nothing that the typed decoder refuses, and makes of it what that one makes."""

import functools
import json
import os
import random
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.contract import Contract, load_contract
from dataflow.core.decode import Decoder
from dataflow.core.plain import Lane
from dataflow.core.times import timestamps
from tests.dataflow.conftest import HERE, ROOT
from tests.dataflow.core.made import payload

LIMIT = 1 << 20


@functools.cache
def visit() -> Contract:
    return load_contract(HERE / "visit" / "visit.yaml")


SNIPPETS = (
    *b'" { } [ ] , : \\ \\" \\u0041 \\ud83d\\ude00 \\ud800 \\x \\u00g0'.split(b" "),
    *(b" ", b"\n", b"\t", b"\x00", b"\x1f", b"\x7f", b"\xc3\xa9"),
    *(b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xe6\x9d"),
    *b"0 - -0 01 1. .5 1e5 1E+400 1e -1.50 99999999999999999999 null true fals NaN Infinity".split(),
    *b'"a":1, "a":{"a":1,"a":2}, {"x":[1,{"y":null}]} 2026-01-15T09:30:12Z'.split(),
)
"""What is put into an event to mutilate it."""


CONTRACTS = {
    "visit": HERE / "visit" / "visit.yaml",
    "order": HERE / "order" / "order.yaml",  # with arrays: left, all of them
    "free form": ROOT / "scripts" / "bench" / "free_form" / "contracts" / "bench_event.yaml",
}


@pytest.fixture(scope="module", params=CONTRACTS)
def contract(request: pytest.FixtureRequest) -> Contract:
    return load_contract(CONTRACTS[request.param])


def typed(contract: Contract, payloads: Sequence[bytes], learned: tuple[str, ...] = ()) -> Decoder:
    """A decoder that asks no compiled reader."""
    decoder = Decoder(contract)
    decoder._lane_rests = 1 << 30
    return decoder


def compare(contract: Contract, payloads: list[bytes]) -> int:
    """How many events the compiled reader took; each is held against the typed decoder's."""
    plain = Lane(contract.fields, ()).read(payloads, LIMIT)
    assert plain is not None
    assert sorted([*plain.taken.tolist(), *plain.left.tolist()]) == list(range(len(payloads)))
    taken = [payloads[index] for index in plain.taken]
    wanted = typed(contract, taken).decode(taken)
    assert wanted.rejects == []
    assert wanted.unknown == []
    for path, column in plain.columns().items():
        other = wanted.columns[path]
        if column.dtype != other.dtype:  # a time that is none is text in one of the two
            column, other = (timestamps(one) if one.dtype == pl.String else one for one in (column, other))
        assert shown(column) == shown(other), path
    return len(taken)


def shown(column: pl.Series) -> list[Any]:
    """Values as text, which tells -0.0 from 0.0; times as microseconds, for a year may be none of Python's."""
    return [None if value is None else repr(value) for value in column.to_physical().to_list()]


def mutilated(rng: random.Random, text: bytes) -> bytes:
    for _ in range(rng.randrange(4)):
        place = rng.randrange(len(text) + 1)
        lost = rng.choice([0, 0, 1, 1, 2, 5])
        put = rng.choice([b"", rng.choice(SNIPPETS), bytes([rng.randrange(256)])])
        text = text[:place] + put + text[place + lost :]
    return text


def agreement(contract: Contract, count: int) -> None:
    seed = random.SystemRandom().getrandbits(32)
    rng = random.Random(seed)
    for _ in range(count // 1000):
        payloads = [mutilated(rng, payload(rng, contract)[1]) for _ in range(1000)]
        try:
            compare(contract, payloads)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error


def test_mutilated_events_are_read_as_the_typed_decoder_reads_them(contract: Contract) -> None:
    agreement(contract, int(os.environ.get("NOREN_LANE_EVENTS", "10000")))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_million_mutilated_events_are_read_as_the_typed_decoder_reads_them(contract: Contract) -> None:
    agreement(contract, 350_000)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.binary(max_size=40), max_size=5))
def test_bytes_that_are_no_event_are_left(payloads: list[bytes]) -> None:
    plain = Lane(visit().fields, ()).read(payloads, LIMIT)
    assert plain is None or plain.taken.tolist() == []


VISIT = {"shop": 1, "id": "v", "at": "2026-01-15T09:30:00Z", "till": {}}


def encoded(**changes: Any) -> bytes:
    return json.dumps(VISIT | changes).encode()


@pytest.fixture(scope="module")
def visits() -> Lane:
    return Lane(visit().fields, ())


@pytest.mark.parametrize(
    ("case", "text"),
    {
        "compact": json.dumps(VISIT, separators=(",", ":")).encode(),
        "with blanks": json.dumps(VISIT, indent=2).encode() + b"\r\n",
        "escapes": encoded(note='"\\/\b\f\n\r\té\U0001f600'),
        "text beyond ASCII": json.dumps(VISIT | {"note": "東京"}, ensure_ascii=False).encode(),
        "null for an optional object": encoded(place=None),
        "greatest plain integer": encoded(customer_number=10**18 - 1),
        "an exponent": encoded(spent=1).replace(b'"spent": 1', b'"spent": 1.5e-3'),
        "another order": json.dumps(dict(reversed(VISIT.items()))).encode(),
    }.items(),
)
def test_plain_events_are_taken(visits: Lane, case: str, text: bytes) -> None:
    plain = visits.read([text], LIMIT)
    assert plain is not None
    assert plain.taken.tolist() == [0]


@pytest.mark.parametrize(
    ("case", "text"),
    {
        "undeclared field": encoded(other=1),
        "field twice": encoded()[:-1] + b',"id":"w"}',
        "missing field": b'{"shop":1,"id":"v","till":{}}',
        "null for a required field": encoded(id=None),
        "lone surrogate": encoded(note="x").replace(b'"x"', b'"\\ud800"'),
        "surrogate in UTF-8": encoded(note="x").replace(b'"x"', b'"\xed\xa0\x80"'),
        "too many digits": encoded(customer_number=10**18),
        "a number with a point for an integer": encoded(age=1).replace(b'"age": 1', b'"age": 1.0'),
        "beyond the range": encoded(age=151),
        "no member of the enumeration": encoded(**{"class": "c"}),
        "too long": encoded(email="a@" + "x" * 63),
        "cut off": encoded()[:-1],
        "trailing text": encoded() + b"x",
        "a comma too many": encoded()[:-1] + b",}",
        "not an object": b"[1]",
        "nothing": b"",
    }.items(),
)
def test_doubtful_events_are_left(visits: Lane, case: str, text: bytes) -> None:
    plain = visits.read([text], LIMIT)
    assert plain is not None
    assert plain.left.tolist() == [0]


def test_an_event_does_not_run_on_into_the_next(visits: Lane) -> None:
    whole = encoded()
    for cut in range(len(whole)):
        plain = visits.read([whole[:cut], whole[cut:], whole], LIMIT)
        assert plain is not None
        assert plain.taken.tolist() == ([1, 2] if cut == 0 else [2])


def test_an_event_over_the_limit_is_left(visits: Lane) -> None:
    plain = visits.read([encoded(), encoded(note="x" * 100)], len(encoded()) + 50)
    assert plain is not None
    assert (plain.taken.tolist(), plain.left.tolist()) == ([0], [1])


def test_texts_carry_nothing_of_their_neighbours(visits: Lane) -> None:
    plain = visits.read([encoded(id="an id of many letters", note="a secret of many letters")], LIMIT)
    assert plain is not None
    buffers = plain.columns()["id"].to_arrow(compat_level=pl.CompatLevel.newest()).buffers()
    assert b"an id of many" in b"".join(bytes(part) for part in buffers if part is not None)
    assert b"secret" not in b"".join(bytes(part) for part in buffers if part is not None)


def test_learned_fields_are_read_over_and_told(visits: Lane) -> None:
    lane = Lane(visit().fields, ("other", "till.kind"))
    plain = lane.read([encoded(other=[1, {"a": "b"}]), encoded(till={"kind": None}), encoded()], LIMIT)
    assert plain is not None
    assert plain.taken.tolist() == [0, 1, 2]
    assert {path: first.tolist() for path, first in plain.undeclared.items()} == {
        "other": [ord("["), 0, 0],
        "till.kind": [0, ord("n"), 0],
    }
