"""State is what the changes made of it, in order, whatever of them was folded before."""

from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.operators.state import Changes, LocalState

CHANGES = st.lists(
    st.builds(
        Changes,
        st.lists(st.integers(0, 4), max_size=2, unique=True),
        st.dictionaries(st.integers(0, 4), st.lists(st.binary(max_size=3), min_size=1, max_size=3), max_size=3),
    ),
    max_size=6,
)


def content(state: LocalState) -> dict[int, tuple[bytes, ...]]:
    return {bucket: tuple(state.read(bucket)) for bucket in state.buckets()}


def test_items_are_read_in_the_order_that_they_were_added() -> None:
    state = LocalState([Changes(added={7: [b"a"]}), Changes(added={7: [b"b", b"c"], 3: [b"d"]})])
    assert (state.buckets(), state.read(7), state.read(3), state.read(9)) == ([3, 7], (b"a", b"b", b"c"), (b"d",), ())
    assert state.bytes == 4


def test_a_bucket_that_is_dropped_and_added_to_is_replaced() -> None:
    state = LocalState([Changes(added={7: [b"a"], 8: [b"long"]}), Changes([7, 8, 9], {7: [b"b"]})])
    assert (content(state), state.bytes) == ({7: (b"b",)}, 1)


@settings(deadline=None)
@given(CHANGES, st.integers(0, 6))
def test_changes_folded_into_one_make_the_same_state(changes: list[Changes], cut: int) -> None:
    folded = Changes()
    for change in changes[:cut]:
        folded = folded.then(change)
    assert content(LocalState([folded, *changes[cut:]])) == content(LocalState(changes))


@settings(deadline=None)
@given(CHANGES)
def test_the_change_that_a_state_gives_makes_the_state(changes: list[Changes]) -> None:
    state = LocalState(changes)
    again = LocalState([state.changes()])
    assert (content(again), again.bytes) == (content(state), state.bytes)
