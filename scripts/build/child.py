"""The process that dbt runs in: loads dbt, waits for one order on stdin, and tells on stdout how it goes.

stdin: one line, `{"environment": {name: value}, "arguments": [...]}`. The environment comes this way and not at the
start, so that dbt (seconds of imports) can be loaded before the stack that it will talk to is known.
stdout, one JSON object a line: `{"loaded": seconds}`, `{"node": {...}}` for each node that ended, and last
`{"done": {"exit_code", "seconds", "error"}}`. What dbt and its libraries print goes to stderr.
"""

import gc
import json
import os
import sys
import time
from typing import Any, TextIO


def load() -> None:
    """Import dbt and its adapter: 2,600 modules, the larger part of a build's time.

    google-cloud-bigquery imports pandas when it is there (300 modules, 1.3 s of 6); dbt reads no data frames. Garbage
    collection finds nothing during imports and takes half a second.
    """
    gc.disable()
    sys.modules["pandas"] = None  # type: ignore[assignment]  # an import then fails as if it were not installed
    import dbt.adapters.bigquery
    import dbt.cli.main  # noqa: F401

    gc.freeze()
    gc.enable()


def run(order: dict[str, Any], say: "Channel") -> None:
    """Carry out one order."""
    from dbt.cli.main import dbtRunner

    began = time.perf_counter()
    os.environ.update(order["environment"])
    result = dbtRunner(callbacks=[lambda event: report(event, say)]).invoke(order["arguments"])
    error = None if result.exception is None else " ".join(str(result.exception).split())
    # As dbt's own command: 1 when nodes failed, 2 when dbt did.
    exit_code = 0 if result.success else 1 if error is None else 2
    say(done={"exit_code": exit_code, "seconds": round(time.perf_counter() - began, 3), "error": error})


def report(event: Any, say: "Channel") -> None:
    """Pass on the end of a node; dbt fires dozens of other events."""
    if event.info.name != "NodeFinished":
        return
    node, result = event.data.node_info, event.data.run_result
    say(
        node={
            "id": node.unique_id,
            "kind": node.materialized if node.resource_type == "model" else node.resource_type,
            "relation": f"{node.node_relation.schema}.{node.node_relation.alias}",
            "status": node.node_status,
            "seconds": round(result.execution_time, 3),
            "message": result.message,
        }
    )


class Channel:
    """Writes lines of JSON to the stdout that the process was started with. Threads of dbt share it."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __call__(self, **message: Any) -> None:
        self.stream.write(json.dumps(message) + "\n")  # one write: lines of two threads do not mix
        self.stream.flush()


def main() -> None:
    began = time.perf_counter()
    say = Channel(os.fdopen(os.dup(1), "w"))
    os.dup2(2, 1)
    load()
    say(loaded=round(time.perf_counter() - began, 3))
    if line := sys.stdin.readline():
        run(json.loads(line), say)


if __name__ == "__main__":
    main()
