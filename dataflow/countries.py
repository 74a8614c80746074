"""Country of an IP address, from a MaxMind-format file (GeoLite2, DB-IP and others) that the operator provides."""

import ipaddress
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
        known = addresses.drop_nulls().unique()
        codes = pl.Series([self._code(address) for address in known], dtype=pl.String)
        return addresses.replace_strict(known, codes, default=None, return_dtype=pl.String)

    def _code(self, text: str) -> str | None:
        try:
            record = self._reader.get(ipaddress.ip_address(text))
        except ValueError:  # no address, or IPv6 in a file for IPv4
            return None
        country = record.get("country") if isinstance(record, dict) else None
        code = country.get("iso_code") if isinstance(country, dict) else None
        return str(code) if code else None
