"""Files of the project as they were at a git revision."""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dataflow.errors import NorenError
from dataflow.project import Project


@contextmanager
def checked_out(project: Project, revision: str, *paths: str) -> Iterator[Project]:
    """A temporary project with `paths`, relative to the project's root, as they were at `revision`.

    Raises NorenError when there is no git, no such revision, or none of the paths in it.
    """
    commit = _git(project, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None:
        raise NorenError(f"{revision} is no file, no directory and no git revision of {project.root}.")
    archive = _git(project, "archive", "--format=tar", commit.decode().strip(), *paths)
    if archive is None:
        raise NorenError(f"{revision}: has no {' or no '.join(paths)}.")
    with tempfile.TemporaryDirectory() as directory:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(directory, filter="data")
        yield Project(Path(directory), project.id)


def _git(project: Project, *arguments: str) -> bytes | None:
    """What git prints, None when it refuses. Raises NorenError when there is no git."""
    try:
        done = subprocess.run(  # noqa: S603
            ["git", *arguments],  # noqa: S607
            cwd=project.root,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise NorenError("git is not installed: give a file or a directory to compare with.") from error
    return done.stdout if done.returncode == 0 else None
