"""Whose job is it: kept beside the emulator's data, because a result belongs to the person who asked, and to nobody
else."""

import re
import sqlite3
import threading
from pathlib import Path

JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,1024}")
CHILD = re.compile(r"script_job_(?P<parent>[A-Za-z0-9_-]+)_\d+")
"""The emulator's name for a statement of a script; no caller may choose such a name."""


class Owners:
    """Job id -> the caller whose job it is.

    file: a SQLite database, so that answers can still be fetched after a restart.
    """

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("CREATE TABLE IF NOT EXISTS jobs (id TEXT PRIMARY KEY, caller TEXT NOT NULL)")

    def record(self, job: str, caller: str) -> None:
        """The first caller whose job the emulator accepted keeps it."""
        with self._lock:
            self._database.execute("INSERT OR IGNORE INTO jobs VALUES (?, ?)", (job, caller))

    def owns(self, caller: str, job: str) -> bool:
        """Whether the job, or the script that it is a statement of, is the caller's."""
        child = CHILD.fullmatch(job)
        with self._lock:
            row = self._database.execute(
                "SELECT caller FROM jobs WHERE id = ?", (child["parent"] if child else job,)
            ).fetchone()
        return row is not None and row[0] == caller

    def close(self) -> None:
        with self._lock:
            self._database.close()
