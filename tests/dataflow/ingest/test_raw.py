"""BigQuery rows as a source: raw events under a new policy, and what a scheduled query landed."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.cloud import bigquery

from tests.conftest import Stream, made_stream
from tests.dataflow.cases import event
from tests.dataflow.ingest.conftest import changes_contract
from tests.dataflow.ingest.importing import kill_after, run, sentence, write

pytestmark = pytest.mark.timeout(180)

EVENTS = 60


@pytest.fixture(scope="module")
def stream(servers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stream]:
    """A stream with events of two days of 2024, imported."""
    for made in made_stream(servers, tmp_path_factory.mktemp("project")):
        lines = [
            json.dumps(
                event(
                    n, timestamp=f"2024-03-{1 + n % 2:02d}T10:20:30.5Z", location=None if n % 3 else event()["location"]
                )
            )
            for n in range(EVENTS)
        ]
        path = write(tmp_path_factory.mktemp("files") / "a.jsonl", "\n".join(lines).encode())
        assert run(made, "files", made.name, path)["raw"] == EVENTS
        yield made


def policy(stream: Stream, version: str, **changes: Any) -> Path:
    """The stream's policy with other rules for some fields."""
    document = yaml.safe_load(stream.project.policy.read_text())
    document["version"] = version
    document["streams"][stream.name].setdefault("fields", {}).update(changes)
    path = stream.project.root / f"policy-{version}.yaml"
    path.write_text(json.dumps(document))
    return path


def test_a_stricter_policy_replaces_the_rows_of_the_same_tokens(stream: Stream) -> None:
    before = {row["event_token"]: row for row in stream.rows("anonymized")}
    drop = {"method": "drop"}
    stricter = policy(
        stream, "1.1.0", timestamp={"method": "truncate_time", "unit": "day"}, event_type=drop, **{"device.type": drop}
    )
    kill_after(stream, 1, "raw", stream.name, "--policy", stricter)
    result = run(stream, "raw", stream.name, "--policy", stricter)
    assert (result["raw"], result["dead"]) == (EVENTS, 0)
    after = {row["event_token"]: row for row in stream.rows("anonymized")}
    assert after.keys() == before.keys()
    for token, row in after.items():
        old = before[token]
        assert row["event_time"] == old["event_time"].replace(hour=0, minute=0)
        assert row["receive_time"] == old["receive_time"].replace(hour=0, minute=0, second=0)
        assert (row["policy_version"], row["event_type"], row["device"]["type"]) == ("1.1.0", None, None)
        same = ("user_id", "session_id", "location", "properties", "key_epoch", "contract_version")
        assert {name: row[name] for name in same} == {name: old[name] for name in same}
    assert len(stream.rows("raw")) == EVENTS
    dataset = next(iter(stream.client.list_tables(f"anonymized__{stream.contract.domain}"))).dataset_id
    assert [table.table_id for table in stream.client.list_tables(dataset)] == [stream.name]


def test_what_was_erased_does_not_come_back(stream: Stream) -> None:
    table = f"anonymized__{stream.contract.domain}.{stream.name}"
    (gone,) = stream.client.query_and_wait(f"SELECT event_token FROM {table} LIMIT 1")
    stream.client.query_and_wait(f"DELETE FROM {table} WHERE event_token = '{gone[0]}'")
    run(stream, "raw", stream.name, "--policy", policy(stream, "1.2.0"))
    rows = stream.rows("anonymized")
    assert (len(rows), {row["policy_version"] for row in rows}) == (EVENTS - 1, {"1.2.0"})
    assert gone[0] not in {row["event_token"] for row in rows}


def test_a_policy_of_other_tokens_replaces_nothing(stream: Stream) -> None:
    path = policy(stream, "1.3.0")
    document = json.loads(path.read_text())
    document["streams"][stream.name]["purpose"] = "another"
    path.write_text(json.dumps(document))
    said = sentence(stream, "raw", stream.name, "--policy", path)
    assert said == (
        f"{stream.name}: under this policy and these keys the events have other tokens, so no row can be replaced; "
        "nothing was."
    )
    assert "1.3.0" not in {row["policy_version"] for row in stream.rows("anonymized")}


def landing(stream: Stream, name: str, rows: list[dict[str, Any]]) -> None:
    """What a scheduled query with EXTERNAL_QUERY appends."""
    table = f"{stream.client.project}.raw__{stream.contract.domain}.{name}_landed"
    columns = {
        "user_id": "STRING",
        "plan": "STRING",
        "visits": "INT64",
        "updated_at": "TIMESTAMP",
        "landed_at": "TIMESTAMP",
    }
    schema = [bigquery.SchemaField(column, kind) for column, kind in columns.items()]
    stream.client.create_table(bigquery.Table(table, schema=schema), exists_ok=True)
    config = bigquery.LoadJobConfig(schema=schema)
    stream.client.load_table_from_json(rows, table, job_config=config).result()


def test_what_a_scheduled_query_landed_goes_through_the_core(stream: Stream) -> None:
    name = f"landed_{stream.name}"
    contract = changes_contract(name, stream.contract.domain)
    (stream.project.contracts / f"{name}.yaml").write_text(json.dumps(contract))

    def rows(hour: int, **plans: str) -> list[dict[str, Any]]:
        at = datetime(2026, 11, 1, hour, tzinfo=UTC).isoformat()
        updated = "2026-10-01T00:00:00Z"
        return [
            {
                "user_id": user,
                "plan": plan,
                "visits": len(user),
                "updated_at": updated if plan == "free" else at,
                "landed_at": at,
            }
            for user, plan in plans.items()
        ]

    said = sentence(stream, "landed", name, "--cursor", "updated_at")
    assert said == f"raw__{stream.contract.domain}.{name}_landed: there is no such table; a scheduled query makes it."
    landing(stream, name, rows(1, ann="free", bob="free"))
    results = [run(stream, "landed", name, "--cursor", "updated_at")]
    landing(stream, name, rows(2, ann="paid", bob="free", cid="free"))
    results += [run(stream, "landed", name, "--cursor", "updated_at") for _ in range(2)]
    results += [run(stream, "landed", name, "--cursor", "updated_at", "--again")]
    found = [(result["read"], result["raw"], result["duplicates"]) for result in results]
    # an unchanged row that lands again by the hour is the same row
    assert found == [(2, 2, 0), (3, 2, 1), (0, 0, 0), (5, 0, 5)]
    view = f"anonymized__{stream.contract.domain}.{name}_current"
    current = Counter(row["plan"] for row in stream.client.query_and_wait(f"SELECT plan FROM {view}"))
    assert current == {"paid": 1, "free": 2}
