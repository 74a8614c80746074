"""Countries from a MaxMind-format file that is made for the test."""

from pathlib import Path

import polars as pl
import pytest

from dataflow.countries import Countries
from dataflow.errors import NorenError


def test_each_address_has_its_country_or_null(countries: Countries) -> None:
    known = {
        "203.0.113.9": "JP",
        "2001:db8:1::9": "JP",
        "198.51.100.77": "DE",
        "192.0.2.1": None,  # a continent, no country
        "192.0.2.200": None,  # a record of another shape
        "10.0.0.1": None,
        "localhost": None,
        "": None,
    }
    found = countries(pl.Series("ip", [*known, None, "203.0.113.9"]))
    assert (found.name, found.to_list()) == ("ip", [*known.values(), None, "JP"])


def test_a_column_without_values_is_text_too(countries: Countries) -> None:
    for values in ([], [None, None]):
        found = countries(pl.Series(values, dtype=pl.String))
        assert (found.dtype, found.to_list()) == (pl.String, values)


def test_a_file_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "country.mmdb").write_bytes(b"no database")
    with pytest.raises(NorenError, match=r"^country\.mmdb: cannot be opened as a MaxMind-format file: .+\.$"):
        Countries(tmp_path / "country.mmdb")
    with pytest.raises(NorenError, match=r"^gone\.mmdb: cannot be opened as a MaxMind-format file: .+\.$"):
        Countries(tmp_path / "gone.mmdb")
