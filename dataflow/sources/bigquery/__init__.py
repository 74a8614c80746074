"""Rows of BigQuery tables as a source: raw events once more, and what a scheduled query landed."""

from dataflow.sources.bigquery.landed import LandedSource
from dataflow.sources.bigquery.raw import RawSource

__all__ = ["LandedSource", "RawSource"]
