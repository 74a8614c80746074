"""The figures of access: what is measured finds what it must; how long it takes is no test."""

from scripts.bench.access import measure


def test_lint_and_plan_are_measured_on_files_that_are_well():
    figures = {figure.name: figure.found for figure in measure(datasets=8, views=40, groups=16)}
    assert figures["lint"] == 1  # the whole domain may run jobs
    assert figures["plan, nothing differs"] == 0
    assert figures["plan, everything differs"] > 40
