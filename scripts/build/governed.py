"""A build as it has to be: grants, dbt, policy tags and row access policies, authorizations, and whether it all holds.

Grants come first because dbt has to be let in; authorizations last because a view that was made again has lost its own.
What a build took from a table or view is given back before that: policy tags of its columns, row access policies. A
view that still lacks a policy tag which its model declares is not authorized anywhere.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dataflow.errors import NorenError
from iam.apply import Record, apply
from iam.engine import Table, TableName, from_dbt
from iam.files import AccessFiles
from iam.live import Live
from iam.plan import Change, Settings
from iam.tags.columns import give_back, lacking
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
    readers: Callable[[], list[Change]] = list,
) -> Governed:
    """Grant, build, give back, authorize, check.

    client: as the applier. run: builds, as dbt. manifest: where that run leaves its manifest. readers: makes the
    readers of policy tags what the files say, where something else than the gateway keeps them.
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
    tagged, untagged = _give_back(Live(client), relations(manifest), files.project, record, say)
    after = [*tagged, *readers()]
    withheld = frozenset((name.dataset, name.table) for name in untagged)
    settings = Settings(identity=identity, rebuilt=built, withheld=withheld)
    after += apply(client, files, settings=settings, record=record, say=say)
    again = apply(client, files, settings=Settings(identity=identity, withheld=withheld), record=record, dry_run=True)
    problems = [*untagged.values(), *(str(change) for change in again if change.action != "keep")]
    return Governed(result, tuple(before + [c for c in after if c not in before]), tuple(problems))


def _give_back(
    live: Live, tables: Mapping[TableName, Table], project: str, record: Record, say: Callable[[Change], None]
) -> tuple[list[Change], dict[TableName, str]]:
    """Policy tags given back, and relation -> what is still wrong with it."""
    changes, refused = list[Change](), dict[TableName, str]()
    for name, tags in lacking(live, tables, project).items():
        try:
            done = give_back(live, name, tags, record.tags)
        except NorenError as error:
            refused[name] = f" ({error})"
            continue
        for change in done:
            say(change)
        changes += done
    return changes, {
        name: f"{name.dataset}.{name.table}: without the policy tag that the model declares for "
        f"{', '.join(sorted(tags))}{refused.get(name, '')}; it is authorized nowhere until it is built again"
        for name, tags in lacking(live, tables, project).items()
    }


def relations(manifest: Path) -> Mapping[TableName, Table]:
    """What the manifest of a build says was to be built; nothing when dbt did not get so far."""
    if not manifest.is_file():
        return {}
    return from_dbt(json.loads(manifest.read_text("utf-8")))


def manifest_of_run(state: Path, target: str) -> Path:
    """Where `scripts.build.build` has dbt leave its manifest."""
    return state / "dbt" / target / "manifest.json"
