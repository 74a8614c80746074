"""What is done to the pipeline and the servers around it, and when: drawn from the seed."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from google.api_core import exceptions as api

from scripts.faults.faults import KINDS, Fault
from scripts.soak.clock import set_clock
from scripts.soak.keeper import Keeper
from scripts.soak.stand import Stand

FAULTS_A_ROUND = 4

WINDOW_SECONDS = (1.0, 7.0)
"""Of a round: each of its faults begins within it, so they overlap."""

JUMPS_SECONDS = (-7 * 86_400.0, -3_600.0, -60.0, -1.0, 1.0, 60.0, 3_600.0, 7 * 86_400.0)
"""By how much a clock may be wrong. Not by 14 days: then dead letters are rightly deleted."""

SINK_FAULTS = (*KINDS, Fault("hang"))


@dataclass(frozen=True)
class Scene:
    """What a fault has to do with. ended: set when the soak is to end early."""

    stand: Stand
    keeper: Keeper
    ended: threading.Event


type Doing = Callable[[Scene, random.Random], None]
"""Does it and returns when it is over: from then on the recovery is measured."""


def pipeline_sigkill(scene: Scene, _: random.Random) -> None:
    scene.keeper.kill()


def pipeline_sigterm(scene: Scene, _: random.Random) -> None:
    scene.keeper.terminate()


def pubsub_restart(scene: Scene, rng: random.Random) -> None:
    _restart("pubsub", scene, rng)


def warehouse_restart(scene: Scene, rng: random.Random) -> None:
    _restart("warehouse", scene, rng)


def sink_errors(scene: Scene, rng: random.Random) -> None:
    """Quotas, 5xx before and after the work is done, cut connections, and no answer at all."""
    faults = scene.stand.sink_faults
    faults.begin(rng.uniform(0.2, 0.6), SINK_FAULTS)
    scene.ended.wait(rng.uniform(2.0, 4.0))
    faults.stop()


def redelivery(scene: Scene, rng: random.Random) -> None:
    """Another consumer takes messages, gives half of them back and lets the other leases run out; then whatever was
    delivered meanwhile is delivered once more, acknowledged or not."""
    subscriber, subscription = scene.stand.subscriber, scene.stand.subscription
    # not a seek to a time: that acknowledges whatever is older
    snapshot = subscription.replace("/subscriptions/", "/snapshots/")
    _until_answered(scene, lambda: subscriber.create_snapshot(name=snapshot, subscription=subscription, timeout=5.0))
    for _ in range(5):
        try:
            answer = subscriber.pull(subscription=subscription, max_messages=100, timeout=0.5)
            ack_ids = [received.ack_id for received in answer.received_messages]
            rng.shuffle(ack_ids)
            back = ack_ids[: len(ack_ids) // 2]
            if back:
                subscriber.modify_ack_deadline(
                    subscription=subscription, ack_ids=back, ack_deadline_seconds=0, timeout=2.0
                )
        except api.GoogleAPICallError:
            pass  # the server is being restarted, or there is nothing to take
        scene.ended.wait(rng.uniform(0.1, 0.4))
    seek = {"subscription": subscription, "snapshot": snapshot}
    _until_answered(scene, lambda: subscriber.seek(seek, timeout=5.0))
    _until_answered(scene, lambda: subscriber.delete_snapshot(snapshot=snapshot, timeout=5.0))


def clock_jump(scene: Scene, rng: random.Random) -> None:
    """The pipeline's clock jumps twice and stays wrong."""
    for _ in range(2):
        set_clock(scene.stand.clock, rng.choice(JUMPS_SECONDS))
        scene.ended.wait(rng.uniform(0.2, 1.0))


def policy_reload(scene: Scene, _: random.Random) -> None:
    scene.stand.publish_policy()


FAULTS: dict[str, Doing] = {
    "pipeline_sigkill": pipeline_sigkill,
    "pipeline_sigterm": pipeline_sigterm,
    "pubsub_restart": pubsub_restart,
    "warehouse_restart": warehouse_restart,
    "sink_errors": sink_errors,
    "redelivery": redelivery,
    "clock_jump": clock_jump,
    "policy_reload": policy_reload,
}


@dataclass(frozen=True)
class Planned:
    """A fault of one round. at: seconds after its start."""

    kind: str
    at: float


def draw(seed: int, rounds: int) -> list[list[Planned]]:
    """The faults of each round, in order of time. Like cards: each kind comes once before any comes again."""
    rng = random.Random(f"{seed}/faults")  # noqa: S311  (a run is to be repeatable)
    deck: list[str] = []
    plan = []
    for _ in range(rounds):
        kinds: list[str] = []
        while len(kinds) < FAULTS_A_ROUND:
            if not deck:
                deck = [kind for kind in FAULTS if kind not in kinds]
                rng.shuffle(deck)
            kinds.append(deck.pop())
        plan.append(sorted((Planned(kind, rng.uniform(*WINDOW_SECONDS)) for kind in kinds), key=lambda item: item.at))
    return plan


def _restart(service: str, scene: Scene, rng: random.Random) -> None:
    scene.stand.stack.kill(service)
    scene.ended.wait(rng.uniform(0.0, 1.0))
    scene.stand.stack.start_again(service)


def _until_answered(scene: Scene, call: Callable[[], object]) -> None:
    """Ask a server that may be starting again just now."""
    while not scene.ended.is_set():
        try:
            call()
        except (api.ServiceUnavailable, api.DeadlineExceeded, api.RetryError, api.Unknown):
            scene.ended.wait(0.2)
            continue
        except (api.AlreadyExists, api.NotFound):
            return  # a call whose answer was lost
        return
