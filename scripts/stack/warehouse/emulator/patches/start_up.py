"""DuckDB 1.5.5 instead of 2.0, without a network.

Without it the first connection fails: 1.5.5 refuses `TimeZone` as an option of connect (`unrecognized configuration
parameter`), and `INSTALL ducklake` asks extensions.duckdb.org. With it every connection finds the extensions of the
installed wheels in the directory that the installer filled, and none is ever downloaded. What does not fit into memory
is written under the data directory, not to `.tmp` of the directory that the stack was started from.
"""

import argparse
from typing import Any

import duckdb


def apply(options: argparse.Namespace) -> None:
    connect = duckdb.connect

    def patched(database: str = ":memory:", read_only: bool = False, config: dict[str, Any] | None = None) -> Any:
        config = dict(config or {})
        time_zone = config.pop("TimeZone", None)
        config |= {"extension_directory": str(options.extensions), "autoinstall_known_extensions": "false"}
        config["temp_directory"] = str(options.data_dir / "spill")
        connection = connect(database, read_only, config)
        if time_zone:
            connection.execute(f"SET GLOBAL TimeZone = '{time_zone}'")
        return connection

    duckdb.connect = patched
