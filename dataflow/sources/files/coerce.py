"""Cells of text -> an event with the types that the contract declares.

Only what the text says without doubt: `12` for an integer, `true` for a boolean. Anything else stays text, and the core
refuses it with the field's name.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from dataflow.contract import Contract, Field, FieldType
from dataflow.sources.paths import flat, put

_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,18})")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_BOOLEANS = {"true": True, "false": False, "True": True, "False": False, "TRUE": True, "FALSE": False}


class Coercer:
    """Makes events of one contract's CSV records. A column is called by its field's path: `device.os_version`."""

    def __init__(self, contract: Contract) -> None:
        self._columns = {column.path: column for column in contract.columns()}

    def event(self, cells: Mapping[str, Any]) -> dict[str, Any]:
        """cells: by path; an empty one is an absent value. What is no text any more (mapped already) stays."""
        event: dict[str, Any] = {}
        for path, cell in cells.items():
            if cell == "" or cell is None:
                continue
            column = self._columns.get(path)
            put(event, path, _value(column, cell) if column is not None and isinstance(cell, str) else cell)
        return event

    def nested(self, event: dict[str, Any]) -> dict[str, Any]:
        """The same for an event that is nested already."""
        return self.event(dict(flat(event, self._columns)))


def _value(column: Field, cell: str) -> Any:
    match column.type:
        case FieldType.INTEGER if _INTEGER.fullmatch(cell):
            return int(cell)
        case FieldType.NUMBER if _NUMBER.fullmatch(cell):
            return float(cell)
        case FieldType.BOOLEAN:
            return _BOOLEANS.get(cell, cell)
        case FieldType.ARRAY | FieldType.MAP:
            try:
                return msgspec.json.decode(cell)
            except (msgspec.DecodeError, RecursionError):
                return cell
    return cell
