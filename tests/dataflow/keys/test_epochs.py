"""Key epochs: 13 months of event time, the same for one moment and for a column."""

import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.keys import EPOCH_MONTHS, epoch_expression, epoch_of

UTC = datetime.UTC


@pytest.mark.parametrize(
    ("moment", "epoch"),
    [
        (datetime.datetime(2000, 1, 1, tzinfo=UTC), 0),
        (datetime.datetime(2001, 1, 31, 23, 59, 59, 999_999, tzinfo=UTC), 0),
        (datetime.datetime(2001, 2, 1, tzinfo=UTC), 1),
        (datetime.datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1),
        (datetime.datetime(2026, 1, 15, tzinfo=UTC), 24),
        # the month counts in UTC, not where the event happened
        (datetime.datetime(2001, 2, 1, 8, 59, tzinfo=datetime.timezone(datetime.timedelta(hours=9))), 0),
        (datetime.datetime(2001, 2, 1, 9, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=9))), 1),
    ],
)
def test_an_epoch_is_thirteen_months_of_utc(moment: datetime.datetime, epoch: int) -> None:
    assert EPOCH_MONTHS == 13
    assert epoch_of(moment) == epoch


@given(st.lists(st.datetimes(timezones=st.just(UTC)), max_size=20))
def test_a_column_has_the_epochs_of_its_moments(moments: list[datetime.datetime]) -> None:
    column = pl.Series("time", moments, dtype=pl.Datetime("us", "UTC"))
    made = column.to_frame().select(epoch_expression(pl.col("time")))["time"]
    assert made.dtype == pl.Int64
    assert made.to_list() == [epoch_of(moment) for moment in moments]
