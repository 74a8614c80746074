"""What does not add up is told in one sentence, with counts and no event."""

import dataclasses

import pytest

from scripts.soak.balance import Counts, lost

WELL = Counts(published=10, raw=7, anonymized=7, dead=2, duplicates=1)


def test_what_adds_up_is_no_problem() -> None:
    assert WELL.problems() == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"published": 11},
            "published is not raw + dead + duplicates: 11 were published, but 7 raw + 2 dead + 1 duplicates are 10.",
        ),
        ({"anonymized": 6}, "raw is not anonymized: 7 rows are raw and 6 anonymized."),
        ({"raw_twice": 3}, "3 rows of raw are there twice."),
        ({"anonymized_twice": 3}, "3 rows of anonymized are there twice."),
        ({"dead_twice": 1}, "1 rows of dead_letter are there twice."),
        ({"unpaired": 2}, "2 event tokens are in only one of raw and anonymized."),
    ],
)
def test_each_thing_that_does_not_add_up_has_its_sentence(change: dict[str, int], sentence: str) -> None:
    assert dataclasses.replace(WELL, **change).problems() == [sentence]


def test_an_acknowledged_message_is_lost_when_neither_its_identity_nor_its_id_is_found() -> None:
    acknowledged = [("1", "event-a"), ("2", None), ("3", "event-a"), ("4", "event-b"), ("5", None)]
    assert lost(acknowledged[:3], {"event-a"}, {"2"}) == []
    assert lost(acknowledged, {"event-a"}, {"2"}) == [
        "2 of 5 acknowledged messages are in neither raw nor the dead letters."
    ]
