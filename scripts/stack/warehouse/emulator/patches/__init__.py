"""The patches: one small module each, applied before the package serves. No file of the package is edited.

A patch module has `apply(options)`, where `options` are the launcher's arguments, and a docstring that says what fails
without it. Its test starts the emulator with `--without-patch NAME` and shows that failure.
"""

import argparse
import importlib

NAMES = (
    "start_up",
    "secret",
    "bigquery_only",
    "quiet_logs",
    "unfinished_jobs",
    "single_submission",
    "upload_files",
    "upload_parts",
    "old_results",
    "etag",
    "typed_bytes",
    "ctas_destination",
    "set_struct",
    "materialized_view",
    "column_names",
    "nested_columns",
    "one_offset",
    "row_groups",
    "script_dry_run",
)
"""In the order in which they are applied: start_up first, it makes DuckDB connect at all."""


def apply(options: argparse.Namespace, without: set[str]) -> None:
    for name in NAMES:
        if name not in without:
            importlib.import_module(f"{__name__}.{name}").apply(options)
