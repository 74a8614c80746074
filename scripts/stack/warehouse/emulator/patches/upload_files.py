"""Uploaded files do not outlive their job.

Without it the file of a load job that is refused (409 for a known id, a bad configuration) or that was running at a
kill stays in `uploads/` for ever, and with it raw rows in clear. With it a refused upload is deleted at once, the rest
at the next start.
"""

import argparse
import contextlib
from pathlib import Path
from typing import Any

from local_bigquery.jobs import runner

from scripts.stack.warehouse.emulator import serve


def apply(options: argparse.Namespace) -> None:
    def delete_left_over() -> None:
        for file in (options.data_dir / "uploads").glob("*"):
            file.unlink()

    submit = runner.submit

    def patched(project_id: str, job_id: str, configuration: Any, upload: str | None = None) -> Any:
        try:
            return submit(project_id, job_id, configuration, upload)
        except Exception:
            with contextlib.suppress(FileNotFoundError):
                if upload:
                    Path(upload).unlink()
            raise

    serve.AT_START.append(delete_left_over)
    runner.submit = patched
