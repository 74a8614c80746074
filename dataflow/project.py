"""The project of the current directory: every path that a command reads or writes starts here."""

import os
from dataclasses import dataclass
from pathlib import Path

from dataflow.errors import NorenError

LOCAL_PROJECT_ID = "noren-local"
"""ReadFromPubSub refuses ids shorter than six characters, so no plain `noren`."""


@dataclass(frozen=True)
class Project:
    """A checkout with `dataflow/policy.yaml` at its root.

    root: absolute path of the checkout.
    id: the Google Cloud project that dataset and topic names belong to (`NOREN_PROJECT`, default `noren-local`).
    """

    root: Path
    id: str = LOCAL_PROJECT_ID

    @classmethod
    def find(cls, start: Path | None = None) -> "Project":
        """The project that holds `start` (default: the current directory).

        Raises NorenError when neither it nor a parent has a `dataflow/policy.yaml`.
        """
        here = (start or Path.cwd()).resolve()
        for root in (here, *here.parents):
            if (root / "dataflow" / "policy.yaml").is_file():
                return cls(root, os.environ.get("NOREN_PROJECT", LOCAL_PROJECT_ID))
        raise NorenError(f"{here} is in no Noren project: change to a directory that has dataflow/policy.yaml.")

    @property
    def contracts(self) -> Path:
        return self.root / "dataflow" / "contracts"

    @property
    def policy(self) -> Path:
        return self.root / "dataflow" / "policy.yaml"

    @property
    def iam(self) -> Path:
        return self.root / "iam"

    @property
    def dbt(self) -> Path:
        return self.root / "dbt"

    @property
    def state(self) -> Path:
        """Where everything local is written: `.noren/`, never committed."""
        return self.root / ".noren"
