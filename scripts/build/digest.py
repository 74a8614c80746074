"""Names for what is kept of dbt's answers: digests of everything that they follow from."""

import os
import subprocess
from collections.abc import Iterator
from hashlib import sha1, sha256
from importlib.metadata import version
from pathlib import Path

import dataflow
import iam
from dataflow.project import Project

FORMAT = 2
"""Raised when what is kept changes."""
NOT_MODELS = (".noren", "target", "logs", "dbt_packages")
CODE = ("dataflow", "dataflow/methods", "dataflow/policy", "dataflow/schemas", "iam/lineage", "scripts/build")


def described(project: Project) -> str:
    """Of contracts and policy, and of the code that makes tables of them."""
    code = {package.__name__: Path(package.__path__[0]) for package in (dataflow, iam)} | {
        "scripts": Path(__file__).parents[1]
    }
    told = sha256(f"{FORMAT} {project.id}".encode())
    for file in sorted([project.policy, *project.contracts.glob("*.yaml")]):
        told.update(b"\0" + file.name.encode() + b"\0" + file.read_bytes())
    for folder in CODE:
        package, _, rest = folder.partition("/")
        for module in sorted((code[package] / rest).glob("*.py")):
            stat = module.stat()
            told.update(f"{module.name} {stat.st_size} {stat.st_mtime_ns}\0".encode())
    return told.hexdigest()[:32]


def models(project: Project, revision: tuple[Project, str] | None, origins: str) -> str:
    """Of everything that a manifest follows from.

    revision: (the project with its git history, revision): the models of then. origins: `described(project)`.
    """
    listing = _files(project.dbt) if revision is None else _tracked(*revision)
    made = sorted(line for line in listing if not line.endswith(" models/staging/sources.yml"))
    told = "\n".join((origins, version("dbt-core"), version("dbt-bigquery"), *made))
    return sha256(told.encode()).hexdigest()[:32]


def _files(folder: Path) -> Iterator[str]:
    """`<git's digest of the content> <path>` of every file."""
    for root, folders, names in os.walk(folder):  # thousands of files: paths as texts
        folders[:] = [name for name in folders if name not in NOT_MODELS]
        here = os.path.relpath(root, folder).replace(os.sep, "/") + "/"
        for name in names:
            with open(os.path.join(root, name), "rb") as file:  # noqa: PTH118, PTH123
                content = file.read()
            digest = sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
            yield f"{digest} {here.removeprefix('./')}{name}"


def _tracked(project: Project, revision: str) -> Iterator[str]:
    """The same of the files at a git revision."""
    done = subprocess.run(  # noqa: S603
        ["git", "ls-tree", "-r", "-z", "--full-tree", f"{revision}^{{commit}}:dbt"],  # noqa: S607
        cwd=project.root,
        capture_output=True,
        check=False,
    )
    for line in done.stdout.decode().split("\0"):
        if line:
            told, _, path = line.partition("\t")
            if not set(path.split("/")[:-1]) & set(NOT_MODELS):
                yield f"{told.split()[2]} {path}"
