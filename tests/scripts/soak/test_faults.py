"""Which faults strike when is drawn from the seed."""

from scripts.soak.faults import FAULTS, FAULTS_A_ROUND, WINDOW_SECONDS, draw


def test_the_same_seed_draws_the_same_faults() -> None:
    assert draw(7, 10) == draw(7, 10)
    assert draw(7, 10) != draw(8, 10)


def test_two_rounds_have_every_kind_once() -> None:
    plan = draw(3, 20)
    for first, second in zip(plan[::2], plan[1::2], strict=True):
        assert sorted(item.kind for item in first + second) == sorted(FAULTS)


def test_a_round_has_its_faults_in_order_of_time() -> None:
    for faults in draw(5, 50):
        assert len({item.kind for item in faults}) == FAULTS_A_ROUND
        assert faults == sorted(faults, key=lambda item: item.at)
        assert all(WINDOW_SECONDS[0] <= item.at <= WINDOW_SECONDS[1] for item in faults)
