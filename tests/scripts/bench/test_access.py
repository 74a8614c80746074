"""The figures of access: what is measured finds what it must; how long it takes is no test."""

import pytest

from dataflow.errors import NorenError
from dataflow.project import Project
from scripts.bench.access import _noren, measure
from scripts.bench.estate import invent, write


def test_every_command_is_measured_on_files_in_which_it_finds_what_it_must():
    estate = invent(datasets=8, views=40, groups=16)
    figures = {figure.name: figure.found for figure in measure(datasets=8, views=40, groups=16, rounds=1)}
    marts = sum(view.dataset == "marts__d000" for view in estate.views)
    assert figures == {
        "lineage, cold": 40,
        "lineage, warm": 40,
        "lint": 1,  # the whole domain may run jobs
        "diff": 2 * marts,  # one group gains the views of a mart, another loses them
        "diff, of a group": 3 * marts,  # and somebody new in a group gains those of another
        "explain --why": 1,
        "explain --who": 28,  # the 19 people of the mart in 14 ways, of the view and of one that reads it
        "explain --what": 3,
        "matrix": 1,
        "plan, nothing differs": 0,
        "plan, everything differs": 82,  # 40 grants and 42 authorized views
    }


def test_a_command_that_finds_nothing_is_no_figure(tmp_path):
    project = write(tmp_path, invent(datasets=4, views=4, groups=8))
    with pytest.raises(NorenError, match=r"^noren acl lint --no-dbt found nothing: "):
        _noren(Project(project.root, project.id), r" NRN999 ", ("acl", "lint", "--no-dbt"))
