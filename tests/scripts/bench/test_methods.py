"""Cost of each method."""

from pathlib import Path
from tempfile import gettempdir

import pytest

from dataflow.methods import BUILT_IN
from scripts.bench import methods


def test_every_built_in_method_has_a_cost_and_no_key_stays_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "VALUES", 64)
    monkeypatch.setattr(methods, "ROUNDS", 1)
    monkeypatch.setattr(methods, "READING_SECONDS", 0.0)
    costs = methods.nanoseconds()
    assert {method.name for method in BUILT_IN} - {name for name, cost in costs.items() if cost is not None} == set()
    assert not list(Path(gettempdir()).glob("noren-bench-*/items.csv"))


def test_places_are_known_to_the_file(tmp_path: Path) -> None:
    import polars as pl

    places = methods._places(tmp_path / "places.mmdb")
    assert places is not None
    assert places(pl.Series(["1.2.3.4"])).to_list() == ["DE"]
    assert places.cities(pl.Series(["5.2.3.4"])).to_list() == ["City 5"]
