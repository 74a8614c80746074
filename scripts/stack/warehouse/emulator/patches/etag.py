"""Two writers with one etag: one wins, the other gets 412.

Without it the emulator compares the etag and saves the change in two steps, so two updates at once both pass and one of
them is lost (an access entry that was granted, or revoked), or it fails with 400. BigQuery answers 412 to the second
(https://cloud.google.com/bigquery/docs/reference/rest/v2/datasets/patch, If-Match).
"""

import argparse
import functools
import threading
from typing import Any

from local_bigquery.catalog import datasets, tables


def apply(options: argparse.Namespace) -> None:  # noqa: ARG001 - every patch is called the same way
    lock = threading.RLock()
    for module in (datasets, tables):
        module.update = one_at_a_time(module.update, lock)


def one_at_a_time(update: Any, lock: Any) -> Any:
    @functools.wraps(update)
    def patched(*arguments: Any, **named: Any) -> Any:
        with lock:
            return update(*arguments, **named)

    return patched
