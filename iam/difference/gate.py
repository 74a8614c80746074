"""The gate of a pull request: what takes an approval, and whether there is one.

Who approved is read from the pull request's reviews (`dataflow/bundle`): the latest decision of each member counts,
never the author's.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataflow.errors import NorenError
from dataflow.yaml_file import read_yaml
from iam.difference.compare import Differences
from iam.engine import Right
from iam.lineage.sensitivity import Sensitivity

FILE = "gate.yaml"
KEYS = ("above", "approvers", "needed")


@dataclass(frozen=True)
class Gate:
    """above: gaining a column that tells more takes an approval. approvers: logins, lower-case; empty for anybody.
    needed: how many."""

    above: Sensitivity = Sensitivity.COUNT
    approvers: frozenset[str] = frozenset()
    needed: int = 1


@dataclass(frozen=True)
class Verdict:
    """asks: what takes an approval, one clause each. by: those whose approval counted. open: whether it may pass."""

    asks: tuple[str, ...]
    by: tuple[str, ...]
    open: bool


def read_gate(folder: Path) -> Gate:
    """`iam/gate.yaml`; without the file what stands in the class. Raises NorenError when it is wrong."""
    path = folder / FILE
    where = f"{folder.name}/{FILE}"
    if not path.is_file():
        return Gate()
    content = read_yaml(path, where)
    if not isinstance(content, dict):
        raise NorenError(f"{where}: must be a mapping with {', '.join(KEYS)}.")
    if unknown := sorted(map(str, content.keys() - set(KEYS))):
        raise NorenError(f"{where}: unknown key {unknown[0]!r}: known are {', '.join(KEYS)}.")
    above, approvers, needed = content.get("above", "count"), content.get("approvers", []), content.get("needed", 1)
    if above not in set(Sensitivity):
        raise NorenError(f"{where}: above must be one of {', '.join(Sensitivity)}; it is {above!r}.")
    if not isinstance(approvers, list) or not all(isinstance(login, str) for login in approvers):
        raise NorenError(f"{where}: approvers must be a list of logins.")
    if not isinstance(needed, int) or isinstance(needed, bool) or needed < 1:
        raise NorenError(f"{where}: needed must be a whole number from 1 on; it is {needed!r}.")
    return Gate(Sensitivity(above), frozenset(login.lower() for login in approvers), needed)


def judge(differences: Differences, before: Gate, after: Gate, approvals: Iterable[str] | None) -> Verdict:
    """before: the gate that holds. after: as the change would have it. approvals: logins; None: not asked for."""
    asks = tuple(dict.fromkeys(_asks(differences, before, after)))
    counted = [login for login in approvals or () if not before.approvers or login.lower() in before.approvers]
    by = tuple(sorted(set(counted), key=str.lower))
    return Verdict(asks, by, not asks or len(by) >= before.needed)


def _asks(differences: Differences, before: Gate, after: Gate) -> Iterator[str]:
    above = before.above.rank
    for reading in differences.readings:
        if reading.gained and reading.most.rank > above:
            yield f"{reading.who} gains {reading.most} in {reading.table}"
    more: dict[tuple[str, Sensitivity], list[str]] = {}
    for meant in differences.meanings:
        if meant.weaker and meant.after.sensitivity.rank > above:
            more.setdefault((meant.table, meant.after.sensitivity), []).append(meant.column)
    for (table, word), columns in more.items():
        yield f"{table} tells more: {word} in {', '.join(columns)}"
    for power in differences.powers:
        if power.gained:
            yield f"{power.who} can {'own' if power.right is Right.OWN else 'change'} {power.dataset}"
    for rows in differences.rows:
        if rows.widens and rows.most.rank > above:
            yield f"more rows of {rows.table}: {rows.most}"
    if before != after:
        yield f"iam/{FILE} itself changes"


def refusal(verdict: Verdict, gate: Gate) -> str:
    """Why the gate is shut, in a sentence with the way out."""
    who = f"one of {', '.join(sorted(gate.approvers))}" if gate.approvers else "somebody else than the author"
    many = "an approval" if gate.needed == 1 else f"{gate.needed} approvals"
    return (
        f"{len(verdict.asks)} changes take {many} by {who}, and have {_listed(verdict.by)}; ask for a review of the "
        "pull request and give the reviews with --reviews."
    )


def _listed(names: Sequence[str]) -> str:
    return f"that of {', '.join(names)}" if names else "none"
