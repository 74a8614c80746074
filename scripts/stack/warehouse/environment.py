"""Where the emulator's own environment is, and the command that starts the emulator in it."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
LOCK = FOLDER / "requirements.lock"
EMULATOR = FOLDER / "emulator"
"""The launcher and the patches. Only the environment's own python imports them."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the emulator and the DuckDB extensions it loads.

    root: its directory, `.noren/env/warehouse` of the project.
    """

    root: Path

    @classmethod
    def of(cls, state: Path) -> "Environment":
        """The environment under the state directory `.noren/` of a project, or in the directory `$NOREN_ENV`."""
        return cls(Path(os.environ.get("NOREN_ENV") or state / "env") / "warehouse")

    @property
    def python(self) -> Path:
        return self.root / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    @property
    def extensions(self) -> Path:
        """DuckDB's extension_directory: holds v1.5.5/PLATFORM/*.duckdb_extension."""
        return self.root / "extensions"

    @property
    def stamp(self) -> Path:
        """Written last by the installer: the SHA-256 of the lock that is installed."""
        return self.root / "installed.sha256"

    def command(self, *arguments: str) -> list[str]:
        """The launcher's command line. `arguments`: see `emulator/__main__.py`."""
        return [str(self.python), str(EMULATOR), "--extensions", str(self.extensions), *arguments]
