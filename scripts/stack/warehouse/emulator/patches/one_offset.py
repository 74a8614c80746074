"""Of two appends to one offset of a write stream, one writes.

Without it the emulator compares the offset and counts the rows in two steps: a request whose connection was cut is
still being written when the client repeats it, both pass and the rows are there twice. BigQuery answers ALREADY_EXISTS
to the second (https://cloud.google.com/bigquery/docs/write-api#exactly-once_delivery).
A stream that is finalized meanwhile takes nothing more once that was answered.
"""

import argparse
import functools
import threading
from collections import defaultdict
from typing import Any

from local_bigquery.grpc import server, write

_locks: defaultdict[str, Any] = defaultdict(threading.RLock)
_guard = threading.Lock()


def lock_of(stream: str) -> Any:
    with _guard:
        return _locks[stream]


def apply(options: argparse.Namespace) -> None:  # noqa: ARG001 - every patch is called the same way
    append, finalize = write._append, write.finalize

    @functools.wraps(append)
    def one_append(stream: Any, rows: Any, offset: Any) -> Any:
        with lock_of(stream.name):
            return append(stream, rows, offset)

    @functools.wraps(finalize)
    def then_finalize(request: Any) -> Any:
        with lock_of(request.name):
            return finalize(request)

    write._append = one_append
    write.finalize = then_finalize
    server.SERVICES["google.cloud.bigquery.storage.v1.BigQueryWrite"]["FinalizeWriteStream"] = server._unary(
        then_finalize, write.types.FinalizeWriteStreamRequest, write.types.FinalizeWriteStreamResponse
    )
