"""Row access policies that name groups.

Without it their members see no row: the emulator knows groups only from a fixed setting at its start. The gateway
knows who is in which group and says so in the token that names the caller; no other client has the stack's secret.
"""

import argparse

from local_bigquery.catalog import row_access


def apply(options: argparse.Namespace) -> None:  # noqa: ARG001 - every patch is called the same way
    identify = row_access.identify

    def patched(authorization: str | None) -> tuple[str, ...]:
        groups = row_access._claims(authorization).get("groups")
        named = groups if isinstance(groups, list) else []
        return (*identify(authorization), *(f"group:{group}" for group in named))

    row_access.identify = patched
