"""The world that the files of `iam/` describe."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from iam.engine.names import DatasetName, TableName
from iam.engine.rights import FINE_GRAINED_READER, MASKED_READER
from iam.engine.world import Dataset, PolicyTag, RowPolicy, Table, World
from iam.entries import Entry
from iam.files import AccessFiles
from iam.files import PolicyTag as WrittenTag


def from_files(files: AccessFiles, tables: Mapping[TableName, Table] | None = None) -> World:
    """A world of one project.

    tables: views, and tables with tagged columns, which no file of iam/ describes: from dbt's manifest and the
    contracts. Row access policies and imported grants of single tables are added to them.
    """
    project, imported = files.project, files.imported
    known = dict(tables or {})

    def add(name: TableName, policies: Iterable[RowPolicy] = (), grants: Iterable[Entry] = ()) -> None:
        table = known.get(name) or Table(name)
        known[name] = replace(table, row_policies=(*table.row_policies, *policies), grants=(*table.grants, *grants))

    for policy in files.row_policies:
        written = RowPolicy(policy.policy, policy.predicate, frozenset(policy.grantees), policy.place)
        add(TableName(project, policy.dataset, policy.table), [written])
    for (dataset, table), entries in (imported.tables if imported else {}).items():
        add(TableName(project, dataset, table), grants=entries)
    return World(
        project=project,
        groups=files.groups,
        datasets={
            (name := DatasetName(project, dataset)): Dataset(name, (*grants, *files.authorized.get(dataset, ())))
            for dataset, grants in files.datasets.items()
        },
        tables=known,
        tags={name: policy_tag(tag) for name, tag in files.policy_tags.items()},
        project_grants={project: (*files.project_grants, *(imported.inherited if imported else ()))},
        imported=frozenset({project}) if imported is not None and imported.complete else frozenset(),
    )


def policy_tag(tag: WrittenTag) -> PolicyTag:
    """As policy_tags.json has it: its readers as grants on it."""

    def grants(members: Iterable[str], role: str) -> tuple[Entry, ...]:
        return tuple(Entry({"iamMember": member, "role": role}, tag.place) for member in members)

    return PolicyTag(
        tag.name, tag.name, grants(tag.readers, FINE_GRAINED_READER), grants(tag.masked, MASKED_READER), tag.place
    )
