"""Row access policies: the files onto live tables. Pure comparison, then one request a policy that differs.

New and changed policies come before old ones go: a table whose last policy goes shows all its rows, so that moment has
to be the last one. https://cloud.google.com/bigquery/docs/managing-row-level-security
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from iam.entries import Json, said
from iam.files import AccessFiles, RowPolicy
from iam.live import Live
from iam.plan import Change, Settings

type TableKey = tuple[str, str]


@dataclass(frozen=True)
class RowPlan:
    """Policies of one table: to make, to change, and ids of those to drop."""

    make: tuple[RowPolicy, ...] = ()
    change: tuple[RowPolicy, ...] = ()
    drop: tuple[str, ...] = ()

    def changes(self, table: TableKey) -> list[Change]:
        """For people."""
        dataset, name = table
        return [
            *(Change(dataset, "add", f"row access policy {p.policy} on {name}: {_told(p)}") for p in self.make),
            *(Change(dataset, "add", f"row access policy {p.policy} on {name}, anew: {_told(p)}") for p in self.change),
            *(Change(dataset, "remove", f"row access policy {policy} on {name}") for policy in self.drop),
        ]


def compare(
    stated: Iterable[RowPolicy], live: Mapping[str, tuple[str, frozenset[str]]], authoritative: bool
) -> RowPlan:
    """live: policy -> (predicate, grantees). An additive table keeps policies that the files lack."""
    stated = tuple(stated)
    return RowPlan(
        make=tuple(policy for policy in stated if policy.policy not in live),
        change=tuple(p for p in stated if p.policy in live and live[p.policy] != _said(p)),
        drop=tuple(sorted(live.keys() - {policy.policy for policy in stated})) if authoritative else (),
    )


def apply_rows(
    live: Live,
    files: AccessFiles,
    settings: Settings,
    *,
    dry_run: bool,
    intended: Callable[[Change], None] = lambda _: None,
) -> list[Change]:
    """Make the row access policies of every table that the files speak of what they say.

    A dataset with a file in row_access_policies/, an empty list too, is looked at whole: of a table that its file does
    not name, policies go, where the dataset is authoritative. intended: is given each change before it is made.
    """
    if settings.grants_only:
        return []
    stated: dict[TableKey, list[RowPolicy]] = {}
    for policy in files.row_policies:
        stated.setdefault((policy.dataset, policy.table), []).append(policy)
    done: list[Change] = []
    for dataset in sorted(files.row_files | {dataset for dataset, _ in stated}):
        layer = files.layers.get(dataset)
        tables = live.tables(dataset, views=False) or []
        for table in sorted({name for d, name in stated if d == dataset} | set(tables)):
            policies = stated.get((dataset, table), [])
            if table not in tables:
                missing = "its table does not exist yet, run this again when it does"
                done += [Change(dataset, "skip", f"row access policy {p.policy} on {table}", missing) for p in policies]
                continue
            authoritative = layer is not None and layer.apply == "authoritative"
            wanted = compare(policies, live.row_policies(dataset, table), authoritative)
            changes = wanted.changes((dataset, table))
            done += changes
            if dry_run:
                continue
            for change in changes:
                intended(change)
            for policy in wanted.make:
                live.make_row_policy(dataset, table, resource(policy, files.project))
            for policy in wanted.change:
                live.make_row_policy(dataset, table, resource(policy, files.project), replace=policy.policy)
            for name in wanted.drop:
                live.drop_row_policy(dataset, table, name)
    return done


def resource(policy: RowPolicy, project: str) -> Json:
    """A policy as BigQuery takes it."""
    names = {"projectId": project, "datasetId": policy.dataset, "tableId": policy.table, "policyId": policy.policy}
    return {
        "rowAccessPolicyReference": names,
        "filterPredicate": policy.predicate,
        "grantees": list(policy.grantees),
    }


def _said(policy: RowPolicy) -> tuple[str, frozenset[str]]:
    return said(policy.predicate, policy.grantees)


def _told(policy: RowPolicy) -> str:
    return f"{policy.predicate} for {', '.join(policy.grantees) or 'nobody'}"
