"""PostgreSQL's text of a value -> JSON, as `to_json` has it, so that a row is the same read whole or followed."""

import datetime
import re
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import psycopg
from msgspec import Raw
from psycopg.adapt import Transformer
from psycopg.pq import Format

_BOOL, _INT8, _INT2, _INT4, _OID, _FLOAT4, _FLOAT8, _NUMERIC = 16, 20, 21, 23, 26, 700, 701, 1700
_JSON, _JSONB, _TIMESTAMP, _TIMESTAMPTZ = 114, 3802, 1114, 1184
"""Object ids of types: fixed, https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat."""

_PLAIN = {25, 1043, 1042, 19, 18, 2950, 1082, 17, 869, 650, 829}
"""text, varchar, char, name, uuid, date, bytea, addresses: their text is their JSON."""

_ZONE = re.compile(r"[+-]\d{2}(?::\d{2})?$")


class Values:
    """Converts values of one connection. zone: of timestamps without one; without it they stay without one."""

    def __init__(self, connection: "psycopg.Connection[Any]", zone: str | None) -> None:
        self._transformer = Transformer(connection)
        self._zone = ZoneInfo(zone) if zone else None
        self._encode = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode

    def json(self, oid: int, text: bytes) -> Any:
        """What msgspec encodes as the value's JSON."""
        plain = text.decode()
        if oid in _PLAIN:
            return plain
        convert = self._known().get(oid)
        return convert(plain) if convert else self._loaded(oid, text, plain)

    def _known(self) -> dict[int, Callable[[str], Any]]:
        return {
            _BOOL: lambda text: text == "t",
            **dict.fromkeys((_INT2, _INT4, _INT8, _OID), _raw),
            **dict.fromkeys((_FLOAT4, _FLOAT8, _NUMERIC), lambda text: text if text[-1].isalpha() else _raw(text)),
            **dict.fromkeys((_JSON, _JSONB), _raw),
            _TIMESTAMPTZ: _zoned,
            _TIMESTAMP: self._local,
        }

    def _local(self, text: str) -> str:
        if self._zone is None:
            return text.replace(" ", "T")
        try:
            moment = datetime.datetime.fromisoformat(text).replace(tzinfo=self._zone)
        except ValueError:  # infinity, years before Christ: the core refuses them
            return text
        return moment.astimezone(datetime.UTC).isoformat()

    def _loaded(self, oid: int, text: bytes, plain: str) -> Any:
        """Arrays and whatever else psycopg knows."""
        try:
            value = self._transformer.get_loader(oid, Format.TEXT).load(text)
            return Raw(self._encode(value)) if isinstance(value, list) else plain
        except (psycopg.Error, ValueError, TypeError, OverflowError):
            return plain


def _raw(text: str) -> Raw:
    return Raw(text.encode())


def _zoned(text: str) -> str:
    zone = _ZONE.search(text)
    return text.replace(" ", "T") + (":00" if zone and len(zone[0]) == 3 else "")
