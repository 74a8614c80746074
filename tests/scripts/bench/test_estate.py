"""The large project that access is measured with."""

import json

from iam.engine import from_dbt, from_files
from iam.files import load
from scripts.bench.estate import invent, write


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
