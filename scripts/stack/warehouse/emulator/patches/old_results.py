"""Query results are kept for a day.

Without it the result of every query, raw values too, stays in the emulator's state for ever. BigQuery keeps such
temporary tables for about 24 hours (https://cloud.google.com/bigquery/docs/cached-results). Looked after at start and
every hour.
"""

import argparse
import threading
import time

from local_bigquery.catalog import tables
from local_bigquery.engine import database

from scripts.stack.warehouse.emulator import serve

KEEP_SECONDS = 24 * 3600
EVERY_SECONDS = 3600


def drop_old() -> None:
    newest = int((time.time() - KEEP_SECONDS) * 1000)
    kept = database.fetch(
        "SELECT project_id || ':' || job_id FROM emulator.jobs WHERE creation_time >= ? OR state <> 'DONE'", [newest]
    )
    names = {name for (name,) in kept}
    for name, _, _ in database.objects("emulator", tables.RESULTS):
        if name not in names:
            database.execute(f"DROP TABLE IF EXISTS {database.quote('emulator', tables.RESULTS, name)}")


def apply(options: argparse.Namespace) -> None:  # noqa: ARG001 - every patch is called the same way
    def keep_dropping() -> None:
        while True:
            drop_old()
            time.sleep(EVERY_SECONDS)

    serve.AT_START.append(threading.Thread(target=keep_dropping, daemon=True).start)
