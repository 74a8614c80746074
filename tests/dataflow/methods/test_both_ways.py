"""Every method gives the same for a column as for one value after the other."""

import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.contract import FieldType
from dataflow.methods import Method, registry
from dataflow.methods.addresses import EmailDomain, TruncateIp
from dataflow.methods.folding import DISGUISES, FOLD
from dataflow.methods.hierarchy import Hierarchy
from dataflow.methods.mask import Mask
from dataflow.methods.noise import LocalNoise
from dataflow.methods.numbers import AgeBand, Clamp, Range
from dataflow.methods.places import CoarsenLocation, Geohash
from dataflow.methods.simple import Constant, Keep
from dataflow.methods.text import Names, Scrub
from dataflow.methods.times import TruncateTime
from dataflow.methods.token import Token
from dataflow.methods.versions import ReduceVersion
from tests.dataflow.methods.both import columnar, plain

STRING, INTEGER, NUMBER = FieldType.STRING, FieldType.INTEGER, FieldType.NUMBER

texts = st.text(max_size=20)
integers = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-10, 130))
floats = st.one_of(st.floats(), st.floats(-200, 200), st.integers(-200, 200).map(float))
times = st.datetimes(datetime.datetime(1, 1, 8), timezones=st.just(datetime.UTC))
dates = st.dates(datetime.date(1, 1, 8))
ips = st.one_of(st.ip_addresses().map(str), st.ip_addresses(v=4).map(lambda ip: f"::ffff:{ip}"), texts)
emails = st.one_of(
    st.from_regex(r"[a-zA-Z.@]{0,6}@[A-Za-z0-9.-]{0,12}\Z"),
    st.sampled_from(["a@b.com", "A@Example.ORG", "@b.com", "a@b"]),
)
PARTS = (
    *("090-1234-5678", "+81 90 1234 5678", "4111 1111 1111 1111", "123456789018", "１２３４ー５６７８", "2026-11-21"),
    *(
        "10:30:15",
        "::1",
        "2001:db8::1",
        "10.0.0.1",
        "https://a.b/c?d=e",
        "は",
        "山田",
        "Smith",
        "smithson",
        "ｓｍｉｔｈ",
    ),
    *(" ", "no. 1", "(at)", "a", "\0", "\n", "<EMAIL>", "ana@example.com", "(415) 555-0123 x12"),
)

messages = st.one_of(
    texts,
    st.text("0123456789 ()+-.:@a/?=#０９－ー（　＠xＡ", max_size=40),
    st.lists(
        st.one_of(
            st.sampled_from(PARTS),
            st.text(DISGUISES + "0123456789-@", max_size=3),
        ),
        max_size=7,
    ).map("".join),
)

CASES: list[tuple[Method, FieldType, st.SearchStrategy[Any]]] = [
    (Keep(), NUMBER, floats.filter(lambda value: value == value)),
    (Constant(value="gone"), STRING, texts),
    (Constant(value=3), INTEGER, integers),
    (Constant(value=3), NUMBER, floats),
    (Constant(value=True), FieldType.BOOLEAN, st.booleans()),
    (Token(), STRING, texts),
    (Token(), INTEGER, integers),
    *((CoarsenLocation(decimals=decimals), NUMBER, st.floats(-180, 180)) for decimals in range(5)),
    *((TruncateTime(unit=unit), FieldType.TIMESTAMP, times) for unit in TruncateTime.scales["unit"]),
    *((TruncateTime(unit=unit), FieldType.DATE, dates) for unit in ("day", "week", "month", "quarter", "year")),
    *((ReduceVersion(parts=parts), STRING, st.text("0123456789.a", max_size=12)) for parts in (1, 2, 3)),
    *((TruncateIp(v4=v4, v6=v6), STRING, ips) for v4, v6 in ((24, 48), (16, 64), (0, 0))),
    (EmailDomain(), STRING, st.one_of(emails, texts)),
    (EmailDomain(known=("Example.org",)), STRING, st.one_of(emails, texts)),
    (Range(width=10), INTEGER, integers),
    (Range(width=7, origin=3, minimum=-4, maximum=100), INTEGER, integers),
    (Range(width=2.5, origin=0.3), NUMBER, floats),
    (Range(width=10, maximum=90), NUMBER, floats),
    (AgeBand(), INTEGER, integers),
    (AgeBand(width=7, top=65), INTEGER, integers),
    (Clamp(minimum=0, maximum=100), INTEGER, integers),
    (Clamp(maximum=1.5), NUMBER, floats),
    (Mask(suffix=4), STRING, st.one_of(texts, messages)),
    (Mask(prefix=2, suffix=1, character="$", separators=False), STRING, texts),
    (Mask(), STRING, texts),
    (Scrub(), STRING, messages),
]


@pytest.mark.parametrize(
    ("method", "type", "values"), CASES, ids=lambda part: repr(part) if isinstance(part, Method) else ""
)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_column_equals_its_values(
    method: Method, type: FieldType, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    column = data.draw(st.lists(st.one_of(st.none(), values), max_size=12))
    assert columnar(method, type, column) == plain(method, type, column)


@settings(max_examples=100, deadline=None)
@given(
    points=st.lists(st.tuples(st.one_of(st.none(), floats), st.one_of(st.none(), floats)), max_size=8),
    length=st.integers(1, 8),
)
def test_geohashes_equal_those_by_halving(points: list[tuple[float | None, float | None]], length: int) -> None:
    latitudes, longitudes = [point[0] for point in points], [point[1] for point in points]
    method, others = Geohash(longitude="east", length=length), {"east": longitudes}
    assert columnar(method, NUMBER, latitudes, others) == plain(method, NUMBER, latitudes, others)


@pytest.mark.parametrize(
    ("method", "type"),
    [
        (LocalNoise(epsilon=1.0, minimum=0, maximum=100), INTEGER),
        (LocalNoise(epsilon=0.1, minimum=-2, maximum=3, step=0.5), NUMBER),
    ],
)
@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.one_of(st.none(), floats), st.one_of(st.none(), st.sampled_from(["ana", "ben"]))), max_size=8
    )
)
def test_noise_equals_that_of_one_value(
    method: LocalNoise, type: FieldType, rows: list[tuple[float | None, str | None]]
) -> None:
    values: list[Any] = [value for value, _ in rows]
    if type is INTEGER:
        values = [
            None if value is None else int(max(min(value, 1e9), -1e9)) if value == value else 0 for value in values
        ]
    others = {"person": [person for _, person in rows]}
    assert columnar(method, type, values, others) == plain(method, type, values, others)


@settings(max_examples=50, deadline=None)
@given(column=st.lists(st.one_of(st.none(), st.sampled_from(["latte", "tea", "rice", ""]), texts), max_size=8))
@pytest.mark.parametrize("unknown", ["top", "null"])
def test_a_hierarchy_does_the_same(
    tmp_path_factory: pytest.TempPathFactory, unknown: Any, column: list[str | None]
) -> None:
    directory = tmp_path_factory.getbasetemp()
    (directory / "drinks.csv").write_text("latte,coffee,drink\ntea,tea,drink\nrice,grain,food\n")
    method = Hierarchy(file="drinks.csv", level=2, unknown=unknown).bound(directory)
    assert columnar(method, STRING, column) == plain(method, STRING, column)


@settings(max_examples=150, deadline=None)
@given(column=st.lists(st.one_of(st.none(), messages), max_size=8))
def test_scrubbing_with_a_list_of_names_does_the_same(
    tmp_path_factory: pytest.TempPathFactory, column: list[str | None]
) -> None:
    directory = tmp_path_factory.getbasetemp()
    (directory / "names.txt").write_text("Smith\n山田\n太郎\n")
    method = Scrub(names="names.txt").bound(directory)
    assert columnar(method, STRING, column) == plain(method, STRING, column)


GUISES = {role: [chr(code) for code, plain in FOLD.items() if plain == role] for role in dict.fromkeys(FOLD.values())}


@st.composite
def in_disguise(draw: st.DrawFn) -> str:
    """Something to be scrubbed, each character of it disguised or not."""
    text = draw(
        st.sampled_from(
            (
                *("taro(at)a.jp", "taro [at] a.jp", "taro (at ) a.jp", "ab:cd:e:f:ab:cd:e:f", "a::b", "a@b.jp"),
                *("?ab=c", "1.2.3.4", "12 34-567", "+1 (415) 555-0123", "4111 1111 1111 1111", "https://a.jp/b?c"),
            )
        )
    )
    return "".join(draw(st.sampled_from([character, *GUISES.get(character, [])])) for character in text)


@settings(max_examples=400, deadline=None)
@given(st.lists(in_disguise(), max_size=6))
def test_what_is_disguised_is_scrubbed_both_ways(column: list[str]) -> None:
    assert columnar(Scrub(), STRING, column) == plain(Scrub(), STRING, column)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("taro（at）example.com", "<EMAIL>"),
        ("taro (at　) example.com", "<EMAIL>"),
        ("taro(ａｔ)example.com", "<EMAIL>"),
        ("ａ:ｂ:ｃ:ｄ:ｅ:ｆ:ａ:ｂ", "<IP>"),
    ],
)
def test_marks_that_are_all_disguised_are_found_in_a_column(text: str, clean: str) -> None:
    assert columnar(Scrub(), STRING, [text]) == [clean]


def test_every_method_is_compared() -> None:
    here = {type(method) for method, _, _ in CASES} | {Geohash, LocalNoise, Hierarchy}
    elsewhere = {"drop", "encrypt", "scrub_map", "country", "city", "user_agent_family"}  # have tests of their own
    assert {method.name for method in here} | elsewhere == set(registry())


def test_names_are_equal_by_what_they_hold() -> None:
    assert Names(("b", "a")) == Names(("a", "b", "b"))
    assert "a" not in repr(Names(("alice",))).replace("names", "").replace(Names(("alice",)).digest, "")
