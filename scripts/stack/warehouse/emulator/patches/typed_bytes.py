"""BYTES columns of Parquet, Avro and ORC files are taken as they are.

Without it a load job with a schema decodes every BYTES column from Base64, which only text formats need, and a Parquet
file with one is refused: `No function matches ... from_base64(BLOB)`.
"""

import argparse
from contextvars import ContextVar
from typing import Any

from local_bigquery.jobs import load

typed: ContextVar[bool] = ContextVar("typed", default=False)
"""Whether the file under way carries types of its own."""


def apply(options: argparse.Namespace) -> None:  # noqa: ARG001 - every patch is called the same way
    decoded, projection = load._decoded, load._projection

    def decode(expression: str, field: Any, depth: int = 0) -> str:
        return expression if typed.get() else decoded(expression, field, depth)

    def project(config: Any, fields: Any, columns: Any) -> Any:
        token = typed.set((config.sourceFormat or "CSV") not in load.TEXT_FORMATS)
        try:
            return projection(config, fields, columns)
        finally:
            typed.reset(token)

    load._decoded, load._projection = decode, project
