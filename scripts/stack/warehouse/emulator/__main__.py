"""Launch local-bigquery, patched: run by the python of the emulator's own environment, never imported by the project.

Prints one line on stdout, `READY {"port": REST port, "grpc_port": Storage API port}`, when it serves; logs on stderr.
Stops on SIGTERM, SIGINT and, with --watch-stdin, when its stdin ends.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[4])  # the checkout: this environment has no project installed

from scripts.stack.warehouse.emulator import patches, serve  # noqa: E402

NICE = 10
"""It stands for a service elsewhere: here it gives way to what is measured and waited for on the same machine."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("warehouse", description="The local BigQuery emulator.", allow_abbrev=False)
    parser.add_argument("--port", type=int, default=0, help="port of the REST API; 0: a free one")
    parser.add_argument("--grpc-port", type=int, default=0, help="port of the Storage API; 0: a free one")
    parser.add_argument("--data-dir", type=Path, required=True, help="directory of the tables and the state")
    parser.add_argument("--project", required=True, help="project that exists from the start")
    parser.add_argument(
        "--secret-file", type=Path, required=True, help="file with the secret that every request has to carry"
    )
    parser.add_argument("--extensions", type=Path, required=True, help="DuckDB's extension directory")
    parser.add_argument("--watch-stdin", action="store_true", help="stop when stdin ends")
    parser.add_argument(
        "--without-patch", action="append", default=[], choices=patches.NAMES, help="leave a patch out (for its test)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    os.nice(NICE)
    options = arguments()
    patches.apply(options, without=set(options.without_patch))
    serve.main(options)
