"""Tables as contract and policy make them; nobody writes a schema twice."""

from dataflow.schemas.columns import Column, ColumnType, Table
from dataflow.schemas.operations import (
    dead_letter_table,
    ledger_table,
    minute_metrics_table,
    replay_table,
    unknown_field_table,
)
from dataflow.schemas.tables import anonymized_table, raw_table, tables

__all__ = [
    "Column",
    "ColumnType",
    "Table",
    "anonymized_table",
    "dead_letter_table",
    "ledger_table",
    "minute_metrics_table",
    "raw_table",
    "replay_table",
    "tables",
    "unknown_field_table",
]
