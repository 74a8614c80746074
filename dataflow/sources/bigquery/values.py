"""A row of BigQuery -> the event that it is."""

import datetime
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw

from dataflow.contract import Field, FieldType


class Rows:
    """Makes events of one contract's fields; columns that it does not declare are left out."""

    def __init__(self, fields: Iterable[Field]) -> None:
        self._fields = tuple(fields)
        self._encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=str)

    def json(self, row: Any) -> bytes:
        """row: a mapping, or a row as the client gives it."""
        return self._encoder.encode(_object(self._fields, row))


def _object(fields: Iterable[Field], row: Any) -> dict[str, Any]:
    found = {field.name: _value(field, row.get(field.name)) for field in fields}
    return {name: value for name, value in found.items() if value is not None}


def _value(field: Field, value: Any) -> Any:
    if value is None:
        return None
    if field.items is not None:
        return [_value(field.items, item) for item in value]
    if field.type is FieldType.OBJECT:
        inner = _object(field.children, value)
        return inner or None  # a struct of nulls was an absent object
    if field.type is FieldType.MAP and isinstance(value, str):
        return Raw(value.encode())  # kept as JSON text
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC)
    return value


def micros(moment: datetime.datetime) -> int:
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond
