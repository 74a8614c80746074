"""A PostgreSQL server, and a stream of changes beside a stream of events."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from dataflow.contract import load_contracts
from dataflow.policy import load_policy
from dataflow.schemas import tables
from tests.conftest import Stream, made_stream
from tests.postgres import Postgres, running


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running() as server:
        yield server


@dataclass(frozen=True)
class Customers:
    """A table of a database, and the stream that its changes go to.

    changes: the stream. events: a stream of app events of the same domain, so of the same tokens. config: the file.
    """

    changes: Stream
    events: Stream
    postgres: Postgres
    config: Path

    def rows(self, role: str, columns: str = "*") -> list[dict[str, Any]]:
        return self.changes.rows(role, columns)

    def current(self) -> list[dict[str, Any]]:
        """The view of the current state."""
        table = tables(self.changes.contract, self.changes.policy)["anonymized"]
        return [dict(row) for row in self.changes.client.query_and_wait(f"SELECT * FROM {table.id}_current")]


def changes_contract(name: str, domain: str) -> dict[str, Any]:
    def field(name: str, kind: str, classification: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "logicalType": kind, "classification": classification, **more}

    key = {"required": True, "primaryKey": True}
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": f"urn:test:{name}",
        "name": name,
        "version": "1.0.0",
        "status": "active",
        "domain": domain,
        "schema": [
            {
                "name": name,
                "logicalType": "object",
                "customProperties": [
                    {"property": "eventTime", "value": "change.time"},
                    {"property": "format", "value": "debezium"},
                ],
                "properties": [
                    field("user_id", "string", "identifier", **key, primaryKeyPosition=1),
                    field("email", "string", "identifier"),
                    field("plan", "string", "public"),
                    field("visits", "integer", "public"),
                    field("joined", "timestamp", "public"),
                    {
                        "name": "change",
                        "logicalType": "object",
                        "required": True,
                        "properties": [
                            field("operation", "string", "public", required=True),
                            field("time", "timestamp", "public", required=True),
                            field("sequence", "integer", "public", required=True),
                            field("version", "string", "internal", **key, primaryKeyPosition=2),
                        ],
                    },
                ],
            }
        ],
    }


TABLE = (
    "CREATE TABLE {table} (user_id text PRIMARY KEY, email text, plan text, visits bigint, joined timestamp, "
    "secret_note text, updated_at timestamptz NOT NULL)"
)


def made_customers(servers: Any, directory: Path, postgres: Postgres, found: dict[str, Any]) -> Iterator[Customers]:
    """found: how changes are found, for the configuration file; {table} stands for the table's name."""
    for events in made_stream(servers, directory):
        name = f"customer_{events.name.partition('_')[2]}"
        path = events.project.contracts / f"{name}.yaml"
        path.write_text(json.dumps(changes_contract(name, events.contract.domain)))
        contract = load_contracts(events.project.contracts)[name]
        policy = load_policy(events.project.policy)
        changes = Stream(events.project, contract, policy, servers, events.client, events.topics)
        events.topics.ensure([contract])
        postgres.run(TABLE.format(table=name))
        config = {
            "stream": name,
            "database": {
                "host": "127.0.0.1",
                "port": postgres.port,
                "name": "postgres",
                "user": "noren",
                "password": f"file:{postgres.password_file}",
            },
            "table": f"public.{name}",
            "zone": "Asia/Tokyo",
        }
        file = directory / "customer.postgres.yaml"
        file.write_text(yaml.safe_dump(config | json.loads(json.dumps(found).replace("{table}", name))))
        yield Customers(changes, events, postgres, file)
