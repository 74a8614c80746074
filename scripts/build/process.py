"""The parent's side of a dbt process."""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dataflow.errors import NorenError

STOP_SECONDS = 20
"""For dbt to cancel its queries after Ctrl-C."""


@dataclass(frozen=True)
class Node:
    """A model or test that dbt is done with.

    id: dbt's own, e.g. `model.noren.events`.
    kind: `view`, `test` or `unit_test`.
    relation: `dataset.table` for a model.
    status: `success` or `pass`, `warn`, `error`, `fail`, `skipped`.
    message: dbt's words; for an error BigQuery's. Never a row.
    """

    id: str
    kind: str
    relation: str
    status: str
    seconds: float
    message: str

    @property
    def name(self) -> str:
        """How people call it: a model by its relation, a test by its name."""
        return self.id.split(".")[2] if "test" in self.kind else self.relation

    @property
    def failed(self) -> bool:
        return self.status not in ("success", "pass", "warn", "skipped")


@dataclass(frozen=True)
class Result:
    """What a build came to.

    exit_code: dbt's: 0, 1 when a node failed, 2 when dbt did (then `error` says why and there may be no nodes).
    seconds: without the time that it took to load dbt.
    """

    exit_code: int
    seconds: float
    error: str | None
    nodes: tuple[Node, ...]


class Process:
    """dbt, loading or loaded, that waits for one order."""

    def __init__(self) -> None:
        self.ordered = False
        self.stderr = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - close() does
        self.popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "scripts.build.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            text=True,
            encoding="utf-8",
        )

    def run(
        self, arguments: Sequence[str], environment: dict[str, str], say: Callable[[Node], None] = lambda _: None
    ) -> Result:
        """Give the order and wait for its end.

        environment: is added to dbt's. A token comes this way: it is in no command line.
        say: is given each node when it ends.
        Raises NorenError when the process dies.
        """
        nodes: list[Node] = []
        for message in self._exchange({"environment": environment, "arguments": list(arguments)}):
            if "node" in message:
                nodes.append(Node(**message["node"]))
                say(nodes[-1])
            if "done" in message:
                return Result(**message["done"], nodes=tuple(nodes))
        self.popen.wait()
        self.stderr.seek(0)
        said = [line for line in self.stderr.read().splitlines() if line.strip()]
        raise NorenError(
            f"dbt ended without a result (exit code {self.popen.returncode}): {(said or ['no output'])[-1]}"
        )

    def _exchange(self, order: dict[str, Any]) -> Iterator[dict[str, Any]]:
        assert self.popen.stdin is not None
        assert self.popen.stdout is not None
        self.ordered = True
        try:
            self.popen.stdin.write(json.dumps(order) + "\n")
            self.popen.stdin.flush()
        except BrokenPipeError:
            return
        for line in self.popen.stdout:
            yield json.loads(line)

    def close(self) -> None:
        """End the process. One that is at work gets time: on Ctrl-C dbt, too, is told, and cancels its queries."""
        assert self.popen.stdin is not None
        assert self.popen.stdout is not None
        if not self.ordered:
            self.popen.terminate()
        try:
            self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        with contextlib.suppress(BrokenPipeError):  # an order that was never read is still in its buffer
            self.popen.stdin.close()
        self.popen.stdout.close()
        self.stderr.close()


@contextmanager
def prepared() -> Iterator[Process]:
    """A dbt that loads in the background while the caller does something else; ended when the block ends."""
    process = Process()
    try:
        yield process
    finally:
        process.close()
