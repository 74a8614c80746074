"""Live against the files: what appeared outside of them, what they say and is not there, and who granted it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from iam.audit import Granted
from iam.entries import Entry, entries, said
from iam.files import AccessFiles
from iam.live import Live
from iam.plan import stated, wanted


@dataclass(frozen=True)
class Drift:
    """One difference.

    dataset: or `policy tag NAME`.
    kind: `outside` (a live entry that no file has), `missing` (an entry of a file that is not live), `no file` (a live
        dataset without one), `no dataset` (a file without its dataset), `no tag` (a policy tag that no taxonomy has).
    granted_by, at: of an entry outside, where the audit logs tell.
    """

    dataset: str
    kind: str
    what: str = ""
    granted_by: str = ""
    at: datetime | None = None

    def __str__(self) -> str:
        told = {
            "outside": f"outside of the files: {self.what}",
            "missing": f"in the files and not live: {self.what}",
            "no file": "the dataset has no file in iam/datasets/",
            "no dataset": "the dataset does not exist",
            "no tag": "no taxonomy of the project has it",
        }[self.kind]
        by = f", granted by {self.granted_by} at {self.at:%Y-%m-%d %H:%M:%S %Z}" if self.at else ""
        return f"{self.dataset}: {told}{by}"

    def as_json(self) -> dict[str, str]:
        found = {"dataset": self.dataset, "kind": self.kind, "what": self.what, "granted_by": self.granted_by}
        return {key: value for key, value in found.items() if value} | ({"at": self.at.isoformat()} if self.at else {})


def drift(
    live: Live,
    files: AccessFiles,
    who: Callable[[str, Iterable[Entry]], dict[Entry, Granted]] | None = None,
    ignore: Iterable[str] = (),
) -> list[Drift]:
    """Every difference, also on datasets that are applied additively.

    who: (dataset, entries) -> who granted them, from audit logs. ignore: datasets that are meant to have no file.
    """
    names, described = set(live.datasets()), stated(files)
    found = [Drift(name, "no file") for name in sorted(names - set(described) - set(ignore))]
    live.read(described)
    for dataset in described:
        resource = live.dataset(dataset)
        if resource is None:
            found.append(Drift(dataset, "no dataset"))
            continue
        present, desired = entries(resource.get("access") or []), wanted(files, dataset)
        grants_are_ours = dataset in files.datasets
        outside = [e for e in present if e not in desired and (grants_are_ours or e.authorizes)]
        granted = who(dataset, outside) if who is not None and outside else {}
        for entry in outside:
            by = granted.get(entry)
            found.append(Drift(dataset, "outside", str(entry), by.who if by else "", by.at if by else None))
        found += [Drift(dataset, "missing", str(entry)) for entry in desired if entry not in present]
    return found


def drift_of_rows(live: Live, files: AccessFiles) -> Iterator[Drift]:
    """Every difference of row access policies, on all tables of the datasets that have a file of any kind.

    A request a table. One whose predicate or grantees differ is both outside of the files and missing.
    """
    datasets = sorted(files.row_files | files.datasets.keys())
    tables = ((dataset, table) for dataset in datasets for table in live.tables(dataset, views=False) or ())
    present = {
        (dataset, table, name): said(policy["filterPredicate"], policy["grantees"])
        for (dataset, table), policies in live.row_policies_of(tables)
        for name, policy in policies.items()
    }
    stated = {(p.dataset, p.table, p.policy): said(p.predicate, p.grantees) for p in files.row_policies}
    for key in sorted(present.keys() | stated.keys()):
        for kind, here, there in (("outside", present, stated), ("missing", stated, present)):
            if key in here and here[key] != there.get(key):
                predicate, grantees = here[key]
                told = f"{predicate} for {', '.join(sorted(grantees)) or 'nobody'}"
                yield Drift(key[0], kind, f"row access policy {key[2]} on {key[1]}: {told}")
