"""From options to the graph that a service gets: what it holds, what it refuses, without asking any service."""

import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2 as proto

from dataflow.beam.__main__ import main
from dataflow.beam.launch import assemble
from dataflow.errors import NorenError
from dataflow.keys import KeyRing

ROOT = Path(__file__).parents[3]

SUBSCRIPTION = "projects/noren-test/subscriptions/app-event-anonymizer"

GOOD = {
    "runner": "DataflowRunner",
    "project": "noren-test",
    "dry_run": "True",  # else Beam asks Cloud Storage about the buckets
    "region": "asia-northeast1",
    "temp_location": "gs://noren-test-staging/temp",
    "staging_location": "gs://noren-test-staging/staging",
    "stream": "app_event",
    "subscription": SUBSCRIPTION,
    "contracts": str(ROOT / "dataflow" / "contracts"),
    "policy": str(ROOT / "dataflow" / "policy.yaml"),
    "keys": "/keys",
}


def pipeline(**changes: str | None) -> beam.Pipeline:
    given = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return assemble(PipelineOptions([f"--{name}={value}" for name, value in given.items()]))


@pytest.fixture(scope="module")
def graph() -> proto.Pipeline:
    return pipeline().to_runner_api()


def transforms(graph: proto.Pipeline, urn: str) -> list[proto.PTransform]:
    return [transform for transform in graph.components.transforms.values() if transform.spec.urn == urn]


def test_pubsub_is_read_with_attributes_and_without_an_id_label(graph: proto.Pipeline) -> None:
    (read,) = transforms(graph, common_urns.composites.PUBSUB_READ.urn)
    payload = proto.PubSubReadPayload.FromString(read.spec.payload)
    assert payload.subscription == SUBSCRIPTION
    assert payload.with_attributes
    assert payload.id_attribute == ""


def test_no_event_is_shuffled_before_the_core(graph: proto.Pipeline) -> None:
    by_output = {
        output: transform
        for transform in graph.components.transforms.values()
        if not transform.subtransforms
        for output in transform.outputs.values()
    }
    (core,) = (t for t in graph.components.transforms.values() if t.unique_name == "anonymize")
    before, inputs = [], list(core.inputs.values())
    while inputs:
        transform = by_output[inputs.pop()]
        before.append(transform.spec.urn)
        inputs += transform.inputs.values()
    assert common_urns.primitives.GROUP_BY_KEY.urn not in before
    assert common_urns.composites.PUBSUB_READ.urn in before or common_urns.deprecated_primitives.READ.urn in before


def test_candidates_are_shuffled_by_their_own_coder(graph: proto.Pipeline) -> None:
    (core,) = (t for t in graph.components.transforms.values() if t.unique_name == "anonymize")
    (output,) = core.outputs.values()
    coder = graph.components.coders[graph.components.pcollections[output].coder_id]
    value = graph.components.coders[coder.component_coder_ids[1]]
    assert b"CandidatesCoder" in value.spec.payload


def test_the_graph_streams_and_holds_paths_of_keys_only(tmp_path: Path) -> None:
    keys = KeyRing.local(tmp_path)
    keys.token_key("app", 1)
    built = pipeline(keys=str(tmp_path))
    assert built.options.get_all_options()["streaming"]
    text = built.to_runner_api().SerializeToString()
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert "kek" in {file.name for file in files}
    assert [file.name for file in files if file.read_bytes() in text] == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"runner": None}, "--runner is missing: Pub/Sub is read by DataflowRunner only"),
        ({"runner": "DirectRunner"}, "--runner DirectRunner: Pub/Sub is read by DataflowRunner only"),
        ({"stream": None}, "--stream and --subscription are needed"),
        ({"subscription": None}, "--stream and --subscription are needed"),
        ({"subscription": "app-event"}, "give the full path projects/PROJECT/subscriptions/NAME"),
        ({"project": None}, "--project is needed"),
        ({"region": None}, "Missing required option: region"),
        ({"stream": "nothing"}, "--stream nothing: there are contracts for app_event, checkin"),
        ({"shards": "0"}, "--shards 0: must be 1 or more"),
        ({"load_seconds": "0"}, "--load_seconds 0: must be 1 or more"),
        ({"policy": "/nowhere.yaml"}, "nowhere.yaml: cannot be read"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_sentence(changes: dict[str, str | None], sentence: str) -> None:
    with pytest.raises(NorenError, match=sentence):
        pipeline(**changes)


def test_paths_default_to_the_project_of_the_current_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "tests")
    built = pipeline(contracts=None, policy=None, keys=None)
    assert {"anonymize", "deduplicate"} <= {part.full_label for part in built.transforms_stack[0].parts}


def test_outside_of_a_project_the_paths_are_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NorenError, match="is in no Noren project"):
        pipeline(contracts=None)


def test_help_shows_the_options_without_importing_beam() -> None:
    program = (
        "from dataflow.beam.__main__ import main; main(['--help']); import sys; exit('apache_beam' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, cwd=ROOT)
    assert shown.returncode == 0
    for option in ("--stream", "--subscription", "--contracts", "--policy", "--keys", "--kms_key", "--country_file"):
        assert option in shown.stdout


def test_the_program_says_what_is_wrong_in_one_line() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "dataflow.beam", "--stream=app_event"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1] == "dataflow.beam: --stream and --subscription are needed."


def test_main_passes_the_options_on() -> None:
    with pytest.raises(NorenError, match="--project is needed"):
        main([f"--{name}={value}" for name, value in GOOD.items() if name != "project"])
