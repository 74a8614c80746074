"""Whose readers a change reaches: where it does not, nobody gains or loses anything."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from iam.difference.audience import Audience, everybody
from iam.difference.reached import Reached
from iam.engine import DatasetName, World
from tests.iam.difference.test_audience import DATASETS, NOW, TABLES, VIEWS, P, name, worlds


@st.composite
def changes(draw: st.DrawFn) -> tuple[World, World]:
    """A world, and one with some parts of another."""
    before, other = draw(worlds()), draw(worlds())
    datasets, tables = dict(before.datasets), dict(before.tables)
    for dataset in draw(st.frozensets(st.sampled_from(DATASETS), max_size=1)):
        datasets[DatasetName(P, dataset)] = other.datasets[DatasetName(P, dataset)]
    for short in draw(st.frozensets(st.sampled_from([*VIEWS, *TABLES]), max_size=1)):
        if draw(st.booleans()):
            tables[name(short)] = other.tables[name(short)]
        else:
            del tables[name(short)]
    whole = draw(st.sampled_from([(), (), ("groups",), ("tags",), ("project_grants",)]))
    return before, replace(before, datasets=datasets, tables=tables, **{key: getattr(other, key) for key in whole})


@settings(max_examples=150, deadline=None)
@given(changes())
def test_who_is_not_reached_reads_what_they_read_before(change: tuple[World, World]) -> None:
    before, after = change
    reached, callers = Reached(before, after), everybody(before, after)
    old, new = Audience(before, NOW, callers), Audience(after, NOW, callers)
    for short in (*VIEWS, *TABLES):
        if name(short) not in reached:
            for clear in (False, True):
                assert old.readers(name(short), clear=clear) == new.readers(name(short), clear=clear)
                assert old.column(name(short), "c", clear=clear) == new.column(name(short), "c", clear=clear)


@given(worlds())
def test_nothing_is_reached_by_no_change(made: World) -> None:
    same = replace(made, datasets=dict(made.datasets), tables=dict(made.tables))
    assert not [short for short in (*VIEWS, *TABLES) if name(short) in Reached(made, same)]
