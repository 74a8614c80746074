"""Key epochs: which key an event's tokens are made with, by *event* time.

By event time and not by the clock, so that a replay gives the same token. An epoch lasts 13 months: a year-on-year
comparison of one month stays within reach of one key for most of the year.
"""

import datetime

import polars as pl

EPOCH_MONTHS = 13
ORIGIN_YEAR = 2000
"""Epoch 0 begins on 2000-01-01 UTC."""


def epoch_of(moment: datetime.datetime) -> int:
    """The epoch of one moment (time-zone aware)."""
    utc = moment.astimezone(datetime.UTC)
    return ((utc.year - ORIGIN_YEAR) * 12 + utc.month - 1) // EPOCH_MONTHS


def epoch_expression(time: pl.Expr) -> pl.Expr:
    """The epoch of each value of a Datetime("us", "UTC") column, Int64."""
    months = (time.dt.year().cast(pl.Int64) - ORIGIN_YEAR) * 12 + time.dt.month().cast(pl.Int64) - 1
    return months // EPOCH_MONTHS
