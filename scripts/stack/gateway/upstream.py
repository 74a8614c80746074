"""The emulator, as the gateway reaches it: with the stack's secret, and with the caller's name for SESSION_USER()."""

import base64
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from dataflow.clients import STACK_HEADER

PREFIX = "/bigquery/v2"
UPLOAD = "/upload/bigquery/v2"
SECONDS = httpx.Timeout(30, read=900)
"""A query may run for as long as BigQuery lets a client wait."""


def identity(caller: str, groups: Iterable[str] = ()) -> str:
    """An unsigned token: the emulator reads from it who asks, for row access policies and SESSION_USER()."""

    def part(content: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    return f"Bearer {part({'alg': 'none'})}.{part({'email': caller, 'groups': sorted(groups)})}.none"


def path(*segments: str) -> str:
    """`/projects/p/datasets/d` of ("projects", "p", "datasets", "d"), each segment quoted."""
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)


class Upstream:
    """base: URL of the emulator. secret_file: holds what it wants to see in every request.

    groups: those of a caller, for row access policies.
    """

    groups: Callable[[str], Iterable[str]] = staticmethod(lambda _: ())

    def __init__(self, base: str, secret_file: Path) -> None:
        headers = {STACK_HEADER: secret_file.read_text().strip()}
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=16)
        self._client = httpx.Client(base_url=base, headers=headers, timeout=SECONDS, trust_env=False, limits=limits)

    def send(
        self,
        method: str,
        where: str,
        caller: str,
        *,
        params: dict[str, str] | None = None,
        body: Any = None,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        prefix: str = PREFIX,
    ) -> httpx.Response:
        """One request. where: made by `path`. body: sent as JSON; content: sent as it is."""
        if body is not None:
            content, headers = json.dumps(body).encode(), {**(headers or {}), "content-type": "application/json"}
        return self._client.request(
            method,
            f"{prefix}{where}",
            params=params,
            content=content,
            headers={**(headers or {}), "authorization": identity(caller, self.groups(caller))},
        )

    def close(self) -> None:
        self._client.close()
