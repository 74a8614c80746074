"""The contracts that a change is compared with: a git revision of the project, a directory, or a file."""

import tempfile
from pathlib import Path

from dataflow.contract import Contract, load_contract, load_contracts
from dataflow.errors import NorenError
from dataflow.project import Project
from dataflow.review.located import read_located
from dataflow.revision import checked_out


def contracts_at(project: Project, base: str) -> tuple[dict[str, Contract], bool]:
    """(contracts by stream, whether they are one file's) at `base`: a contract's file, whatever its name; a directory
    of contracts or a project's root; else a git revision of the project.

    Raises NorenError when it is none of these or a contract there is wrong.
    """
    path = Path(base)
    if path.is_file():
        contract = _file(path)
        return {contract.stream: contract}, True
    if path.is_dir():
        return load_contracts(next((inner for inner in _folders(path) if inner.is_dir()), path)), False
    with checked_out(project, base, "dataflow/contracts") as then:
        try:
            return load_contracts(then.contracts), False
        except NorenError as error:
            raise NorenError(f"{base}: {error}") from error


def _folders(path: Path) -> tuple[Path, ...]:
    return (path / "dataflow" / "contracts", path / "contracts")


def _file(path: Path) -> Contract:
    """A contract under another file name, such as old.yaml: its stream is what it says it is."""
    document = read_located(path).document
    name = document.get("name") if isinstance(document, dict) else None
    if not isinstance(name, str) or Path(name).name != name:
        raise NorenError(f"{path}: has no name; a contract names its stream.")
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / f"{name}.yaml"
        copy.write_bytes(path.read_bytes())
        return load_contract(copy)
