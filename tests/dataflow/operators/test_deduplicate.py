"""New, duplicate, redelivered: each message is counted once, whatever comes again and in whatever batches."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.operators.deduplicate import HORIZON, HOUR, Deduplicator, Events, Index, Verdict

NOW = 1_768_471_200_000_000


def accepted(*rows: tuple[str, str], received: int = NOW) -> Index:
    return Index.of(accepted=[(token, position, received) for token, position in rows])


def events(tokens: list[str], positions: list[str]) -> Events:
    return Events.of(positions, [NOW] * len(positions), tokens)


def was_counted(deduplicator: Deduplicator, *positions: str) -> list[bool]:
    return deduplicator.counted(events([], list(positions))).tolist()


def knowing(*indexes: Index) -> Deduplicator:
    deduplicator = Deduplicator()
    for index in indexes:
        deduplicator.learn(index)
    return deduplicator


def test_the_first_of_an_identity_is_new_and_another_message_a_duplicate() -> None:
    verdict = Deduplicator().sort_out(events(["a", "b", "a"], ["1", "2", "3"]))
    assert verdict == Verdict(new=[0, 1], duplicates=[2])


def test_an_accepted_message_that_comes_again_is_redelivered() -> None:
    assert knowing(accepted(("a", "1"))).sort_out(events(["a", "a"], ["1", "2"])) == Verdict(
        duplicates=[1], redelivered=[0]
    )


def test_a_message_twice_in_one_batch_is_redelivered_once() -> None:
    assert Deduplicator().sort_out(events(["a", "a"], ["1", "1"])) == Verdict(new=[0], redelivered=[1])


def test_a_duplicate_twice_in_one_batch_is_one_duplicate() -> None:
    verdict = Deduplicator().sort_out(events(["a", "a", "a"], ["1", "2", "2"]))
    assert verdict == Verdict(new=[0], duplicates=[1], redelivered=[2])


def test_a_duplicate_that_comes_again_is_redelivered() -> None:
    deduplicator = knowing(accepted(("a", "1")), Index.of(duplicates=[("2", NOW)]))
    assert deduplicator.sort_out(events(["a", "a"], ["2", "3"])) == Verdict(duplicates=[1], redelivered=[0])


def test_a_dead_message_that_comes_again_is_counted_already() -> None:
    deduplicator = knowing(Index.of(dead=[("9", NOW)]))
    assert was_counted(deduplicator, "9", "8") == [True, False]


def test_a_dead_message_that_another_version_would_accept_is_not_counted_twice() -> None:
    assert knowing(Index.of(dead=[("9", NOW)])).sort_out(events(["a"], ["9"])) == Verdict(redelivered=[0])


def test_an_accepted_message_that_another_version_would_refuse_is_not_counted_twice() -> None:
    assert knowing(accepted(("a", "1"))).counted(events([], ["1"]))[0]


def test_an_accepted_message_that_another_version_gives_another_token_is_not_counted_twice() -> None:
    assert knowing(accepted(("a", "1"))).sort_out(events(["b"], ["1"])) == Verdict(redelivered=[0])


def test_asking_changes_nothing() -> None:
    deduplicator = Deduplicator()
    assert (
        deduplicator.sort_out(events(["a"], ["1"])) == deduplicator.sort_out(events(["a"], ["1"])) == Verdict(new=[0])
    )
    assert deduplicator.items == 0


def test_tokens_and_positions_go_in_pairs() -> None:
    with pytest.raises(ValueError, match="2 positions, 2 times and 1 tokens"):
        events(["a"], ["1", "2"])


def test_an_identity_is_remembered_for_the_horizon_of_publish_time() -> None:
    deduplicator = knowing(accepted(("a", "1")), Index.of(dead=[("2", NOW)], duplicates=[("3", NOW)]))
    deduplicator.learn(accepted(("b", "4"), received=NOW + HORIZON))
    assert deduplicator.sort_out(events(["a"], ["9"])).duplicates == [0]
    assert was_counted(deduplicator, "2", "3") == [True, True]


def test_what_is_older_than_the_horizon_is_let_go() -> None:
    deduplicator = knowing(accepted(("a", "1")), Index.of(dead=[("2", NOW)], duplicates=[("3", NOW)]))
    deduplicator.learn(accepted(("b", "4"), received=NOW + HORIZON + HOUR))
    assert deduplicator.sort_out(events(["a"], ["9"])).new == [0]
    assert was_counted(deduplicator, "2", "3") == [False, False]


def test_an_identity_is_remembered_when_it_went_to_the_disk(tmp_path: Path) -> None:
    deduplicator = Deduplicator(directory=tmp_path)
    deduplicator.learn(accepted(("a", "1")))
    deduplicator.learn(Index.of(dead=[("2", NOW)]))
    deduplicator.learn(accepted(*((f"token {number}", f"position {number}") for number in range(600_000))))
    deduplicator.learn(accepted(("b", "4")))
    assert deduplicator.disk_bytes == (600_001 + 600_002) * 24
    assert deduplicator.sort_out(events(["a", "x", "c"], ["9", "1", "5"])) == Verdict([2], [0], [1])
    assert was_counted(deduplicator, "1", "2", "3") == [True, True, False]
    deduplicator.close()


def test_the_horizon_is_longer_than_a_subscriptions_retention() -> None:
    assert HORIZON > 7 * 24 * HOUR


def test_the_newest_of_an_index_is_its_latest_publish_time() -> None:
    assert Index().newest == 0
    assert Index.of([("a", "1", 5)], [("2", 7)], [("3", 6)]).newest == 7


# Messages: position -> identity, or None for one that cannot be accepted. Deliveries: batches of positions, each
# message at least once.
MESSAGES = st.lists(st.one_of(st.none(), st.sampled_from("abcd")), min_size=1, max_size=8)


@settings(deadline=None)  # compiles at first
@given(st.data())
def test_every_message_is_counted_exactly_once(data: st.DataObject) -> None:
    messages = {str(number): identity for number, identity in enumerate(data.draw(MESSAGES))}
    again = data.draw(st.lists(st.sampled_from(sorted(messages)), max_size=8))
    deliveries = data.draw(st.permutations([*messages, *again]))
    cuts = data.draw(st.lists(st.integers(0, len(deliveries)), max_size=3).map(sorted))
    deduplicator = Deduplicator()
    counted: dict[str, list[str]] = {"new": [], "duplicates": [], "dead": []}
    identities: list[str] = []
    journal: list[Index] = []
    for start, end in zip([0, *cuts], [*cuts, len(deliveries)], strict=True):
        batch = deliveries[start:end]
        good = [position for position in batch if messages[position] is not None]
        tokens = [str(messages[position]) for position in good]
        verdict = deduplicator.sort_out(events(tokens, good))
        assert sorted(verdict.new + verdict.duplicates + verdict.redelivered) == list(range(len(good)))
        assert [rows == sorted(rows) for rows in (verdict.new, verdict.duplicates)] == [True, True]
        dead = list(dict.fromkeys(p for p in batch if messages[p] is None and not was_counted(deduplicator, p)[0]))
        counted["new"] += [good[row] for row in verdict.new]
        counted["duplicates"] += [good[row] for row in verdict.duplicates]
        counted["dead"] += dead
        identities += [tokens[row] for row in verdict.new]
        journal.append(
            Index.of(
                [(tokens[row], good[row], NOW) for row in verdict.new],
                [(position, NOW) for position in dead],
                [(good[row], NOW) for row in verdict.duplicates],
            )
        )
        deduplicator.learn(journal[-1])
        if data.draw(st.booleans()):  # a restart: the state is a cache of the journal
            deduplicator = knowing(*journal)
    assert sorted(counted["new"] + counted["duplicates"] + counted["dead"]) == sorted(messages)
    assert sorted(identities) == sorted({identity for identity in messages.values() if identity is not None})
