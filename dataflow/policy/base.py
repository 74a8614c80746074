"""The policy that a change is compared with: a git revision of the project, a directory, or a file."""

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

from dataflow.contract import load_contracts
from dataflow.errors import NorenError
from dataflow.policy.diff import Rules
from dataflow.policy.read import load_policy
from dataflow.project import Project

TRACKED = ("dataflow/policy.yaml", "dataflow/contracts")
"""What makes up the rules, from the project's root."""


def rules_of(project: Project) -> Rules:
    """The project's rules as its files are now. Raises NorenError when a file is wrong."""
    return Rules(load_policy(project.policy), load_contracts(project.contracts))


def rules_at(project: Project, base: str) -> Rules:
    """The rules at `base`: a policy file (with the project's contracts of now), a directory that holds `policy.yaml`
    and `contracts/` or is a project's root, else a git revision of the project.

    Raises NorenError when it is none of these or a file there is wrong.
    """
    path = Path(base)
    if path.is_file():
        return Rules(load_policy(path), load_contracts(project.contracts))
    if path.is_dir():
        inner = path / "dataflow" if (path / TRACKED[0]).is_file() else path
        return Rules(load_policy(inner / "policy.yaml"), load_contracts(inner / "contracts"))
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        with tarfile.open(fileobj=io.BytesIO(_archive(project, base))) as archive:
            archive.extractall(root, filter="data")
        return rules_of(Project(root))


def _archive(project: Project, revision: str) -> bytes:
    """A tar of the tracked files at a revision."""
    commit = _git(project, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None:
        raise NorenError(f"{revision} is no file, no directory and no git revision of {project.root}.")
    archive = _git(project, "archive", "--format=tar", commit.decode().strip(), *TRACKED)
    if archive is None:
        raise NorenError(f"{revision}: has no {' or no '.join(TRACKED)}.")
    return archive


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
