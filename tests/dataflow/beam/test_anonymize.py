"""The core in a DoFn: bundles become batches, nothing of an event or a key leaks."""

import logging
import pickle
from pathlib import Path

import polars as pl
import pytest
from apache_beam.io.gcp.pubsub import PubsubMessage

from dataflow.beam import anonymize
from dataflow.beam.anonymize import AnonymizeFn
from dataflow.beam.settings import Settings
from dataflow.core import Anonymizer, Batch, Outcome
from dataflow.errors import NorenError
from tests.dataflow.beam.running import on_fn_api, pubsub_message
from tests.dataflow.cases import encoded
from tests.dataflow.deliveries import message


@pytest.fixture
def function(settings: Settings) -> AnonymizeFn:
    """On its worker, in a bundle."""
    function = AnonymizeFn(settings)
    function.setup()
    function.start_bundle()
    return function


def test_a_bundle_is_one_batch_a_shard(settings: Settings, tmp_path: Path) -> None:
    ran = on_fn_api([message(encoded(number), number) for number in range(300)], settings, tmp_path)
    assert len(ran.sizes["raw"]) == settings.shards
    assert ran.sizes["anonymized"] == ran.sizes["raw"]
    assert sum(ran.sizes["raw"]) == 300


def test_a_full_batch_does_not_wait_for_the_end_of_the_bundle(
    function: AnonymizeFn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anonymize, "BATCH_BYTES", 2 * len(encoded(1)))
    assert list(function.process(pubsub_message(message(encoded(1), 1)))) == []
    full = [keyed.value for keyed in function.process(pubsub_message(message(encoded(2), 2)))]
    assert sum(candidates.raw.height for _, candidates in full) == 2
    assert list(function.finish_bundle()) == []


def test_a_new_bundle_forgets_what_a_failed_one_left(function: AnonymizeFn) -> None:
    function.process(pubsub_message(message(encoded(1), 1)))
    function.start_bundle()
    assert list(function.finish_bundle()) == []


def test_all_events_of_one_identity_are_of_one_shard(function: AnonymizeFn) -> None:
    shards: dict[str, set[int]] = {}
    for first in (1, 101):
        for number in range(50):
            list(function.process(pubsub_message(message(encoded(number), first + number))))
        for keyed in function.finish_bundle():
            shard, candidates = keyed.value
            for token in candidates.raw["event_token"]:
                shards.setdefault(token, set()).add(shard)
    assert [len(found) for found in shards.values()] == [1] * 50
    assert set.union(*shards.values()) == {0, 1, 2}


def test_a_message_without_an_id_is_refused(function: AnonymizeFn) -> None:
    with pytest.raises(NorenError, match="no id or publish time"):
        function.process(PubsubMessage(b"{}", {}))


def test_a_worker_without_the_key_ring_makes_none(settings: Settings, tmp_path: Path) -> None:
    lost = Settings(settings.contract, settings.policy, tmp_path / "keys")
    with pytest.raises(NorenError, match="holds no key ring on this worker"):
        AnonymizeFn(lost).setup()
    assert list(tmp_path.iterdir()) == []


def test_what_travels_to_workers_holds_no_key(settings: Settings) -> None:
    assert pickle.loads(pickle.dumps(AnonymizeFn(settings)))._settings == settings


def test_open_keys_never_travel(function: AnonymizeFn) -> None:
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(function)


def test_an_error_that_quotes_an_event_is_not_repeated(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail(self: Anonymizer, batch: Batch) -> Outcome:
        raise pl.exceptions.ComputeError(f"conversion failed: {batch.payloads[0]!r}")

    monkeypatch.setattr(Anonymizer, "process", fail)
    caplog.set_level(logging.DEBUG)
    secret = "user_quoted"
    with pytest.raises(Exception, match="app_event: a batch failed with ComputeError") as caught:
        on_fn_api([message(encoded(1, user_id=secret), 1)], settings, tmp_path)
    chain, seen = caught.value, ""
    while chain is not None:
        seen += repr(chain)
        chain = None if chain.__suppress_context__ else chain.__context__
    captured = capfd.readouterr()
    assert "ComputeError" in seen
    assert secret not in seen + caplog.text + captured.out + captured.err
