"""Cloud Logging through its Pub/Sub sink, and through files that a sink exported."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dataflow.contract import load_contracts
from dataflow.policy import load_policy
from tests.conftest import Stream, made_stream
from tests.dataflow.core.formats.test_log_entry import entry
from tests.dataflow.ingest.importing import run, sentence, write

pytestmark = pytest.mark.timeout(180)

REQUEST = Path(__file__).parents[1] / "core" / "formats" / "request.yaml"


@pytest.fixture(scope="module")
def stream(servers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stream]:
    """A stream of log entries, in the domain of a stream of app events."""
    for made in made_stream(servers, tmp_path_factory.mktemp("project")):
        name = made.name.replace("app", "request")
        document = yaml.safe_load(REQUEST.read_text()) | {"name": name, "domain": made.contract.domain}
        (made.project.contracts / f"{name}.yaml").write_text(json.dumps(document))
        contract = load_contracts(made.project.contracts)[name]
        made.topics.ensure([contract])
        yield Stream(made.project, contract, load_policy(made.project.policy), servers, made.client, made.topics)


def test_entries_are_told_by_insert_id_timestamp_and_log_name(stream: Stream, tmp_path: Path) -> None:
    entries = [
        entry(),
        entry(severity="ERROR"),  # the same entry once more: the sink delivers at least once
        entry(insertId="a2"),
        entry(timestamp="2026-01-15T09:30:12.4Z"),
        entry(logName="projects/p/logs/others"),
        b"{",
    ]
    stream.publish(*entries)
    result = run(stream, "logging", stream.name, "--idle", 1)
    counts = {name: result[name] for name in ("raw", "dead", "duplicates")}
    assert counts == {"raw": 4, "dead": 1, "duplicates": 1}
    exported = write(tmp_path / "exported.json", b"\n".join([*entries[:5], entry(insertId="a3")]))
    result = run(stream, "files", stream.name, exported)
    assert (result["raw"], result["dead"], result["duplicates"]) == (1, 0, 5)
    assert len(stream.rows("raw")) == len(stream.rows("anonymized")) == 5


def test_a_stream_of_another_format_is_refused(stream: Stream) -> None:
    other = stream.name.replace("request", "app")
    assert sentence(stream, "logging", other) == f"{other}: its contract has format json; log entries need log_entry."
