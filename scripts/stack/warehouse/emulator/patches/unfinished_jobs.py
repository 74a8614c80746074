"""A job that was running when the emulator was killed is failed at the next start.

Without it the job stays RUNNING for ever: its state is saved apart from the rows, nobody works on it any more, and
its id answers 409. A writer with fixed job ids would wait for it without end. The rows of the job may be there or not:
their commit comes before the job's end is saved, so the writer has to ask the table.
"""

import argparse

from local_bigquery.engine import database
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import runner, store
from local_bigquery.models import Job

from scripts.stack.warehouse.emulator import serve

ERROR = ("stopped", "The emulator stopped while the job was running: its rows may be in the table or not.")


def fail_unfinished() -> None:
    for (resource,) in database.fetch("SELECT resource FROM emulator.jobs WHERE state <> 'DONE'"):
        job = Job.model_validate_json(resource)
        store.save(runner._done(job, job.statistics, BigQueryError(*ERROR)))


def apply(options: argparse.Namespace) -> None:  # noqa: ARG001 - every patch is called the same way
    serve.AT_START.append(fail_unfinished)
