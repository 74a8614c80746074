"""The parts of the benchmark on the real servers, small."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataflow.contract import load_contracts
from dataflow.policy import load_policy
from dataflow.schemas import tables
from scripts.bench.pipeline import pause
from scripts.bench.pipeline.delays import listening
from scripts.bench.pipeline.pause import measure_pause
from scripts.bench.pipeline.publisher import Publisher
from scripts.bench.pipeline.site import Site, make_project
from scripts.bench.pipeline.throughput import publish_backlog, work_off
from scripts.stack.endpoints import Endpoints
from scripts.stack.streams import LocalTopics

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def place(servers: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    project = make_project(tmp_path_factory.mktemp("project"), ["try_one", "try_pause"], ["try_many"])
    contracts, policy = load_contracts(project.contracts), load_policy(project.policy)
    client = servers.warehouse_client()
    for dataset in {table.dataset for contract in contracts.values() for table in tables(contract, policy).values()}:
        client.create_dataset(dataset, exists_ok=True)
    with LocalTopics(servers.project_id, servers.pubsub) as topics:
        topics.ensure(contracts.values())
        yield Site(project, servers, topics)


def test_a_backlog_is_worked_off_without_a_warehouse(place: Site, tmp_path: Path) -> None:
    speed = work_off(place, "try_many", 30_000, 100, "--journal", str(tmp_path), dropping=True)
    assert speed.problems == []
    assert speed.events == 30_000
    assert 0 <= speed.measured < 30_000  # the first batch is not timed
    assert set(speed.to_dict()["cpu_seconds"]) == {"pipeline", "server"}
    assert place.unacknowledged("try_many") == 0


def test_the_lag_comes_back_to_zero_and_nothing_is_lost(place: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pause, "STEADY_SECONDS", 0.5)
    monkeypatch.setattr(pause, "ZERO_SECONDS", 5.0)  # a busy machine takes more than a second for a commit, always
    paused = measure_pause(place, "try_pause", rate=100, pause=6.0, most=60)
    assert paused.problems == []
    assert paused.seconds_to_zero is not None
    rows = place.counted("try_pause")
    assert rows["raw"] == rows["anonymized"] > 2_000


def test_numbers_arrive_by_the_anonymized_topic(place: Site) -> None:
    """The listener counts those that are due, none of the warm-up; published here as the pipeline would."""
    publish_backlog(place, "try_one", 5, 1)
    with listening(place, "try_one") as arrivals:
        anonymized = "try_one_anonymized"
        place.topics.publish(anonymized, [b'{"properties":{"amount":%d}}' % number for number in (0, 1, 1 << 30)])
        with Publisher(place.stack.pubsub, place.topics.topic("try_one"), 1_000) as publisher:
            pass
        for _ in range(200):
            if len(arrivals) == 2:
                break
            time.sleep(0.05)
    delays = arrivals.delays(publisher, 3)
    assert len(delays) == 2
