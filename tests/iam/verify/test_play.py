"""Cases played through the ordinary client on the local stack's gateway, and thrown away whatever happens."""

from collections.abc import Iterator

import pytest

from iam.verify import run
from iam.verify.cases import Stage
from iam.verify.play import Player
from iam.verify.run import Means, Outcome, Result, verify
from scripts.cli.verify import _gateway

STAGE = Stage(prefix="noren_verify_t_")
MEANS = Means(None, gateway=True)
NAMES = ("a user", "somebody else", "an authorized view", "a row access policy lets its rows through", "OWNER owns",
         "a copy takes the TRUE filter", "an authorized routine")  # fmt: skip

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    with _gateway(STAGE) as started:
        yield started


def played(player: Player, *names: str) -> list[Result]:
    return list(verify(STAGE, player, MEANS, wanted=lambda case: case.name in names))


def datasets(player: Player) -> list[str]:
    return [dataset.dataset_id for dataset in player.administrator.list_datasets()]


def test_cases_are_as_the_engine_says_and_nothing_is_left(player: Player) -> None:
    results = {result.case: result.outcome for result in played(player, *NAMES)}
    assert results == dict.fromkeys(NAMES[:-1], Outcome.SAME) | {NAMES[-1]: Outcome.SKIPPED}
    assert datasets(player)
    assert player.throw_away() == []
    assert datasets(player) == []


def test_an_engine_that_errs_is_found(player: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "expected", lambda case: "" if case.name == "somebody else" else "Access Denied: no")
    results = {result.case: result.outcome for result in played(player, "a user", "somebody else")}
    player.throw_away()
    assert results == {"a user": Outcome.ALLOWS_LESS, "somebody else": Outcome.ALLOWS_MORE}


def test_what_an_interrupt_left_is_known_and_goes(player: Player) -> None:
    def stop(result: Result) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(verify(STAGE, player, MEANS, wanted=lambda case: case.name in NAMES, say=stop))
    assert datasets(player)
    assert player.throw_away() == []
    assert datasets(player) == []


def test_what_a_killed_run_left_is_found_by_its_label(player: Player) -> None:
    played(player, "a user")
    left, player.made = list(player.made), []
    player.administrator.create_dataset("somebody_elses")
    assert player.leftovers() == left
    player.made += [*left, "somebody_elses"]
    player.throw_away()


def test_what_cannot_be_deleted_is_told_and_the_rest_goes(player: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    delete = player.administrator.delete_dataset

    def refuse_one(name: str, **how: object) -> None:
        if name == "stays":
            raise ConnectionError
        delete(name, **how)

    monkeypatch.setattr(player.administrator, "delete_dataset", refuse_one)
    player.administrator.create_dataset("goes")
    player.made += ["stays", "goes"]
    assert player.throw_away() == ["stays"]
    assert datasets(player) == []
