"""A gateway over the access files of a test, before a real emulator; and worlds made on that emulator."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from dataflow.clients import STACK_HEADER
from dataflow.project import Project
from scripts.stack import services
from scripts.stack.gateway.catalogue import SECONDS
from scripts.stack.supervisor import Stack
from scripts.stack.tokens import Tokens
from scripts.stack.warehouse.environment import Environment

Json = dict[str, Any]


class Rehearsal:
    """project: its id. root: of the checkout whose iam/ the gateway reads."""

    def __init__(self, project: str, root: Path, gateway: str, warehouse: str, secret: str, tokens: Tokens) -> None:
        self.project, self.root, self.tokens, self._root = project, root, tokens, gateway
        base = f"/bigquery/v2/projects/{project}"
        self._gateway = httpx.Client(base_url=f"{gateway}{base}", trust_env=False, timeout=60)
        self._warehouse = httpx.Client(
            base_url=f"{warehouse}{base}", trust_env=False, timeout=60, headers={STACK_HEADER: secret}
        )

    def ask(self, caller: str, method: str, where: str, **arguments: Any) -> httpx.Response:
        """One request to the gateway."""
        headers = {"authorization": f"Bearer {self.tokens.issue(caller)}", **arguments.pop("headers", {})}
        return self._gateway.request(method, where, headers=headers, **arguments)

    def anywhere(self, caller: str, method: str, where: str, **arguments: Any) -> httpx.Response:
        """One request to any path of the gateway."""
        headers = {"authorization": f"Bearer {self.tokens.issue(caller)}", **arguments.pop("headers", {})}
        url = f"{self._root}{where}"
        return httpx.request(method, url, headers=headers, trust_env=False, timeout=60, **arguments)

    def query(self, caller: str, sql: str, **more: Any) -> httpx.Response:
        return self.ask(caller, "POST", "/queries", json={"query": sql, "useLegacySql": False, **more})

    def make(self, method: str, where: str, body: Json) -> Json:
        """One request to the emulator, around the gateway. Fails when it is refused."""
        answer = self._warehouse.request(method, where, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else {}

    def dataset(self, name: str, access: list[Json]) -> None:
        reference = {"projectId": self.project, "datasetId": name}
        # Nobody: without entries BigQuery, and the emulator, would grant the project's own roles.
        given = access or [{"role": "OWNER", "userByEmail": "nobody@nowhere.example"}]
        self.make("POST", "/datasets", {"datasetReference": reference, "access": given})

    def table(self, name: str, columns: dict[str, str | None], rows: list[Json]) -> None:
        """columns: name -> policy tag, all of type STRING."""
        dataset, _, table = name.partition(".")
        fields = [
            {"name": column, "type": "STRING", **({"policyTags": {"names": [self.tag(tag)]}} if tag else {})}
            for column, tag in columns.items()
        ]
        body = {"tableReference": self.reference(name), "schema": {"fields": fields}}
        self.make("POST", f"/datasets/{dataset}/tables", body)
        if rows:
            self.make("POST", f"/datasets/{dataset}/tables/{table}/insertAll", {"rows": [{"json": r} for r in rows]})

    def tag(self, title: str) -> str:
        return f"projects/{self.project}/locations/us/taxonomies/1/policyTags/{title}"

    def view(self, name: str, sql: str) -> None:
        body = {"tableReference": self.reference(name), "view": {"query": sql, "useLegacySql": False}}
        self.make("POST", f"/datasets/{name.partition('.')[0]}/tables", body)

    def row_policy(self, name: str, policy: str, predicate: str, grantees: list[str]) -> None:
        dataset, _, table = name.partition(".")
        body = {
            "rowAccessPolicyReference": {"policyId": policy},
            "filterPredicate": predicate,
            "grantees": grantees,
        }
        self.make("POST", f"/datasets/{dataset}/tables/{table}/rowAccessPolicies", body)

    def reference(self, name: str) -> Json:
        dataset, _, table = name.partition(".")
        return {"projectId": self.project, "datasetId": dataset, "tableId": table}

    def settle(self) -> None:
        """Wait until the gateway takes no answer from before the changes that were made around it."""
        time.sleep(SECONDS)

    def files(self, content: dict[str, list[Json]]) -> None:
        """What iam/ of the checkout says from now on."""
        for name, items in content.items():
            (self.root / "iam" / name).write_text(json.dumps(items), "utf-8")


@contextmanager
def rehearsal(directory: Path, project: str, content: dict[str, list[Json]]) -> Iterator[Rehearsal]:
    """A started emulator and gateway; the gateway reads iam/ in `directory`."""
    environment = Environment.of(Project.find(Path(__file__)).state)
    root = directory / "checkout"
    (root / "dataflow").mkdir(parents=True)
    (root / "dataflow" / "policy.yaml").touch()
    (root / "iam").mkdir()
    for name, items in content.items():
        (root / "iam" / name).write_text(json.dumps(items), "utf-8")
    wanted = [service for service in services.SERVICES if service.name in ("warehouse", "gateway")]
    stack = Stack(directory / "home", project, wanted, free_ports=True, environment=environment)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[4]))
        with stack.running() as ends:
            yield Rehearsal(project, root, ends.gateway, ends.warehouse, ends.secret, Tokens(ends.home.root))
