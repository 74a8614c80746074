"""A build as it has to be: grants, dbt, the check of policy tags, authorizations, and whether it all holds.

Grants come first because dbt has to be let in; authorizations last because a view that was made again has lost its own.
A view that lacks a policy tag its model declares is not authorized anywhere: WRITE_TRUNCATE strips tags
(cloud-foundation-fabric#1532), and dbt keeps or loses them by materialization (dbt-adapters#1338).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataflow.errors import NorenError
from iam.apply import Record, apply
from iam.engine import Kind, Table, TableName, from_dbt
from iam.files import AccessFiles
from iam.live import Live
from iam.plan import Change, Settings
from scripts.build.process import Result

if TYPE_CHECKING:
    from google.cloud import bigquery


@dataclass(frozen=True)
class Governed:
    """result: dbt's. changes: of access lists, before and after it. problems: sentences; empty when all holds."""

    result: Result
    changes: tuple[Change, ...]
    problems: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """dbt's, or 1 when dbt is content and something else is not."""
        return self.result.exit_code or int(bool(self.problems))


def governed(
    files: AccessFiles,
    client: "bigquery.Client",
    run: Callable[[], Result],
    manifest: Path,
    record: Record,
    identity: str | None = None,
    say: Callable[[Change], None] = lambda _: None,
) -> Governed:
    """Grant, build, authorize, check.

    client: as the applier. run: builds, as dbt. manifest: where that run leaves its manifest.
    Raises NorenError when a list cannot be changed or a tag cannot be checked; nothing is authorized then.
    """
    before = apply(client, files, settings=Settings(grants_only=True, identity=identity), record=record, say=say)
    result = run()
    built = frozenset(
        (dataset, table)
        for node in result.nodes
        if node.status == "success"
        for dataset, _, table in [node.relation.partition(".")]
    )
    untagged = dict(missing_tags(Live(client), relations(manifest), files.project))
    withheld = frozenset((name.dataset, name.table) for name in untagged)
    settings = Settings(identity=identity, rebuilt=built, withheld=withheld)
    after = apply(client, files, settings=settings, record=record, say=say)
    again = apply(client, files, settings=Settings(identity=identity, withheld=withheld), record=record, dry_run=True)
    problems = [*untagged.values(), *(str(change) for change in again if change.action != "keep")]
    return Governed(result, tuple(before + [c for c in after if c not in before]), tuple(problems))


def relations(manifest: Path) -> Mapping[TableName, Table]:
    """What the manifest of a build says was to be built; nothing when dbt did not get so far."""
    if not manifest.is_file():
        return {}
    return from_dbt(json.loads(manifest.read_text("utf-8")))


def missing_tags(live: Live, tables: Mapping[TableName, Table], project: str) -> Iterator[tuple[TableName, str]]:
    """(relation, what is wrong) of every relation that lacks a policy tag which its model declares.

    Raises NorenError when a relation cannot be read.
    """
    for name, table in sorted(tables.items()):
        if not table.tags or name.project not in ("", project) or table.kind is Kind.ROUTINE:
            continue
        resource = live.table(name.dataset, name.table)
        if resource is None:
            continue  # not built yet: there is nothing to read
        present = dict(_tags(resource.get("schema", {}).get("fields", ())))
        lacking = sorted(column for column, tag in table.tags.items() if tag not in present.get(column, ()))
        if lacking:
            what = (
                f"{name.dataset}.{name.table}: without the policy tag that the model declares for {', '.join(lacking)}"
            )
            yield name, f"{what}; it is authorized nowhere until it is built again"


def manifest_of_run(state: Path, target: str) -> Path:
    """Where `scripts.build.build` has dbt leave its manifest."""
    return state / "dbt" / target / "manifest.json"


def _tags(fields: Any, path: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    if not isinstance(fields, list | tuple):
        raise NorenError("BigQuery answered with a schema that is none.")
    for field in fields:
        here = f"{path}{field['name']}"
        yield here, tuple(field.get("policyTags", {}).get("names", ()))
        yield from _tags(field.get("fields", ()), f"{here}.")
