"""The large project that access is measured with."""

import json

import pytest

from iam.engine import from_dbt, from_files
from iam.files import load
from scripts.bench import access
from scripts.bench.estate import invent, write
from scripts.build.manifest import outline
from scripts.build.offline import parsed


def test_an_estate_is_a_project_whose_views_are_authorized(tmp_path):
    project = write(tmp_path, invent(datasets=8, views=40, groups=16))
    files = load(project)
    tables = from_dbt(json.loads((tmp_path / "dbt/target/manifest.json").read_text()))
    world = from_files(files, tables)
    assert (len(world.datasets), len(files.groups.get("g000@example.com").members)) == (8, 5)
    views = [table for table in tables.values() if table.reads]
    assert len(views) == 40
    for view in views:
        for source in view.reads:
            assert view.name in world.datasets[source.home].authorized_tables


def test_the_same_arguments_make_the_same_estate():
    assert invent(8, 40, 16) == invent(8, 40, 16)
    assert invent(8, 40, 16) != invent(8, 40, 16, seed=2)


def test_dbt_reads_the_models_as_the_manifest_has_them(tmp_path):
    project = write(tmp_path, invent(datasets=4, views=10, groups=8))
    mine = from_dbt(json.loads((tmp_path / "dbt/target/manifest.json").read_text()))
    of_dbt = from_dbt(outline(parsed(project)))
    views = {name: table.reads for name, table in mine.items() if table.reads}
    assert {name: table.reads for name, table in of_dbt.items() if table.reads} == views
    assert len(views) == 10


@pytest.mark.long
def test_every_verb_is_measured(monkeypatch):
    monkeypatch.setattr(access, "ROUNDS", 1)
    figures = {figure.name: figure for figure in access.measure(datasets=8, views=40, groups=16)}
    assert list(figures)[:4] == ["lineage, cold", "lineage, warm", "lint", "diff"]
    assert all(figure.cpu[0] > 0 for name, figure in figures.items() if not name.startswith("plan"))
