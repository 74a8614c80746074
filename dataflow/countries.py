"""Country and city of an IP address, from a MaxMind-format file (GeoLite2, DB-IP and others) of the operator's."""

import ipaddress
from collections.abc import Callable
from pathlib import Path

import maxminddb
import polars as pl

from dataflow.errors import NorenError


class Countries:
    """Looks up a column of addresses.

    Raises NorenError when the file cannot be opened or is of another format.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._reader = maxminddb.open_database(path)
        except (OSError, maxminddb.InvalidDatabaseError) as error:
            raise NorenError(f"{path.name}: cannot be opened as a MaxMind-format file: {error}.") from error

    def __call__(self, addresses: pl.Series) -> pl.Series:
        """ISO 3166 codes; null where the text is no address or the file does not know it."""
        return _each(addresses, lambda address: self._text(address, "country", "iso_code"))

    def cities(self, addresses: pl.Series) -> pl.Series:
        """English names of cities; null where the text is no address or the file does not know its city."""
        return _each(addresses, lambda address: self._text(address, "city", "names", "en"))

    def _text(self, address: str, *path: str) -> str | None:
        try:
            found: object = self._reader.get(ipaddress.ip_address(address))
        except ValueError:  # no address, or IPv6 in a file for IPv4
            return None
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return str(found) if found else None


def _each(values: pl.Series, look_up: Callable[[str], str | None]) -> pl.Series:
    """Each distinct value looked up once."""
    known = values.drop_nulls().unique()
    found = pl.Series([look_up(value) for value in known], dtype=pl.String)
    return values.replace_strict(known, found, default=None, return_dtype=pl.String)
