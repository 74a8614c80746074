"""A request as the methods see it, and the parts that they share."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from iam.engine import TableName
from scripts.stack.gateway import errors, resources
from scripts.stack.gateway.guard import Guard
from scripts.stack.gateway.owners import Owners
from scripts.stack.gateway.upstream import Upstream, path

NUMBERS = ("pageToken", "maxResults", "startIndex", "timeoutMs")
"""Query parameters that are numbers; the emulator fails at others. Its page tokens are offsets."""


@dataclass(frozen=True)
class Call:
    """One request of a known caller.

    names: the parts of the path, e.g. dataset and table. content: the body as it came, uncompressed.
    root: the gateway's address as the caller wrote it, e.g. http://127.0.0.1:9060
    """

    caller: str
    names: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    root: str = ""

    @property
    def body(self) -> Any:
        return parse_json(self.content)

    @property
    def project(self) -> str:
        return self.names["project"]

    @property
    def dataset(self) -> str:
        return self.names["dataset"]

    @property
    def job(self) -> str:
        return self.names["job"]

    @property
    def table(self) -> TableName:
        """The table that the path names. Raises RefusedError when it cannot be a table."""
        reference = {"projectId": self.project, "datasetId": self.dataset, "tableId": self.names["table"]}
        return resources.table_name(reference, self.project)

    def only(self, *known: str) -> dict[str, str]:
        """The query parameters of these names."""
        found = {key: value for key, value in self.params.items() if key in known}
        if not all(found.get(key, "0").isdecimal() for key in NUMBERS):
            raise errors.invalid(f"{' and '.join(NUMBERS)} must be as an answer gave them, or numbers.")
        return found

    @property
    def condition(self) -> dict[str, str]:
        """The If-Match header, where one was sent."""
        return {"if-match": self.headers["if-match"]} if "if-match" in self.headers else {}


@dataclass(frozen=True)
class Core:
    """What every method needs: the emulator, the rules, and whose jobs are whose."""

    project: str
    upstream: Upstream
    guard: Guard
    owners: Owners

    def changed(self, response: httpx.Response) -> httpx.Response:
        """To be called after whatever may have changed access lists or views."""
        self.guard.catalogue.forget()
        return response


@dataclass(frozen=True)
class Answer:
    """An answer that the gateway writes itself. content: sent as JSON, or as it is when it is bytes."""

    code: int
    content: Any
    headers: dict[str, str] = field(default_factory=dict)


def parse_json(content: bytes) -> Any:
    try:
        return json.loads(content or b"{}")
    except (ValueError, RecursionError):
        raise errors.invalid("Invalid JSON payload received.") from None


def table_path(table: TableName) -> str:
    return path("projects", table.project, "datasets", table.dataset, "tables", table.table)


def dataset_path(project: str, dataset: str) -> str:
    return path("projects", project, "datasets", dataset)
