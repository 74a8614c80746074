"""A PostgreSQL table as a source: read whole, polled by a cursor column, or followed change by change."""

from dataflow.sources.postgres.config import Config, load_config
from dataflow.sources.postgres.source import PostgresSource

__all__ = ["Config", "PostgresSource", "load_config"]
