"""Times: those of the calendar, to the microsecond, or left."""

import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.core.plain.times import NO_TIME, micros
from tests.dataflow.core.plain.read import padded

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
ALPHABET = "0123456789-:TZ.+ "


def read(text: str) -> int:
    return int(micros(padded(text.encode()), 0, len(text.encode())))


def since_1970(moment: datetime.datetime) -> int:
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


@settings(deadline=None, max_examples=500)
@given(
    st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9999, 12, 30)),
    st.none() | st.integers(-14 * 60, 14 * 60),
    st.sampled_from(["seconds", "milliseconds", "microseconds"]),
)
def test_times_are_those_of_the_calendar(moment: datetime.datetime, offset: int | None, precision: str) -> None:
    zone = datetime.timezone(datetime.timedelta(minutes=offset or 0))
    text = moment.isoformat(timespec=precision) + "Z"
    if offset is not None:
        text = moment.replace(tzinfo=zone).isoformat(timespec=precision)
    assert read(text) == since_1970(datetime.datetime.fromisoformat(text))


@settings(deadline=None, max_examples=300)
@given(st.datetimes(), st.data())
def test_a_mutilated_time_is_another_or_none(moment: datetime.datetime, data: st.DataObject) -> None:
    text = moment.isoformat(timespec="milliseconds") + "Z"
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1))
        text = text[:place] + data.draw(st.sampled_from([*ALPHABET, ""])) + text[place + 1 :]
    found = read(text)
    if found != NO_TIME:
        assert found == since_1970(datetime.datetime.fromisoformat(text))


@pytest.mark.parametrize(
    "text",
    [
        *("", "Z", "2024-02-30T10:30:00Z", "1900-02-29T10:30:00Z", "2024-01-15T24:00:00Z", "2016-12-31T23:59:60Z"),
        *("2024-01-15T10:30:00", "2024-01-15 10:30:00Z", "2024-01-15T10:30:00.1234567Z", "2024-01-15T10:30:00+24:00"),
    ],
)
def test_doubtful_times_are_left(text: str) -> None:
    assert read(text) == NO_TIME
