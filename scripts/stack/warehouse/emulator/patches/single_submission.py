"""Two requests with one job id make one job.

Without it the emulator looks the id up and saves the new job in two steps, so a client that repeats a request whose
answer was lost can run a load job twice: both requests find no job, both append the rows. With it the second gets 409.
"""

import argparse
import threading
from typing import Any

from local_bigquery.jobs import runner


def apply(options: argparse.Namespace) -> None:  # noqa: ARG001
    submit, lock = runner.submit, threading.Lock()

    def patched(project_id: str, job_id: str, configuration: Any, upload: str | None = None) -> Any:
        if configuration.dryRun:
            return submit(project_id, job_id, configuration, upload)
        with lock:
            return submit(project_id, job_id, configuration, upload)

    runner.submit = patched
