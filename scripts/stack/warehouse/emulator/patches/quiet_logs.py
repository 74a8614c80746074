"""No value of a row reaches the log.

Without it an internal error of the emulator is logged with DuckDB's message, which quotes the value that it could not
convert, and sqlglot logs each statement that it cannot parse, with its literals. With it the log has an error's type
and the place in the code, no message, and nothing of sqlglot's.
"""

import argparse
import logging
import sys
import traceback
from typing import Any


class WithoutMessages(logging.Formatter):
    """One line a record; of an exception only its type and the frames' file names and lines."""

    def format(self, record: logging.LogRecord) -> str:
        head = f"{self.formatTime(record)} {record.levelname} {record.name}"
        if not record.exc_info and record.name != "root":
            return f"{head}: {record.getMessage()}"
        error = record.exc_info[1] if record.exc_info else None
        frames = traceback.extract_tb(error.__traceback__) if error else []
        place = " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames))
        return f"{head}: internal error {type(error).__name__} at {place or record.pathname}"


def apply(options: argparse.Namespace) -> None:  # noqa: ARG001 - every patch is called the same way
    handler: logging.StreamHandler[Any] = logging.StreamHandler(sys.stderr)
    handler.setFormatter(WithoutMessages())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("sqlglot").disabled = True
