"""The policy that a change is compared with: a git revision of the project, a directory, or a file."""

from pathlib import Path

from dataflow.contract import load_contracts
from dataflow.policy.diff import Rules
from dataflow.policy.read import load_policy
from dataflow.project import Project
from dataflow.revision import checked_out

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
    with checked_out(project, base, *TRACKED) as then:
        return rules_of(then)
