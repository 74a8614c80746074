"""Asks the access engine and turns its "no" into a refusal."""

from collections.abc import Callable, Iterable, Mapping

from dataflow.errors import NorenError
from dataflow.project import Project
from iam.engine import Access, Action, DatasetName, Decision, Kind, TableName, World
from iam.engine.from_files import policy_tag
from iam.engine.remedy import group_to_ask, sentence
from iam.files.read import Reader
from scripts.stack.gateway import errors
from scripts.stack.gateway.catalogue import GATEWAY, LiveCatalogue

FILES = ("groups.json", "project.json", "policy_tags.json", "imported.json")
"""What of iam/ is not to be had from the emulator."""


class Guard:
    """One project's access rules: live access lists, and the groups and project grants of the checkout.

    A yes may rest on an answer that is up to a second old; before a no everything is looked up again, so that what was
    granted a moment ago holds at once.
    """

    def __init__(self, catalogue: LiveCatalogue, project: Project) -> None:
        self.catalogue, self._project = catalogue, project
        self._stamp: tuple[int, ...] = ()
        self._world: World | None = None

    @property
    def access(self) -> Access:
        """The engine, at this moment, with the files of iam/ as they are now."""
        files = [self._project.iam / name for name in FILES]
        stamp = tuple(file.stat().st_mtime_ns if file.exists() else 0 for file in files)
        if self._world is None or stamp != self._stamp:
            self._world, self._stamp = self.catalogue.over(_written(self._project)), stamp
        return Access(self._world)

    def groups(self, caller: str) -> frozenset[str]:
        """The groups that a caller is in. None of the gateway's own look-ups."""
        return frozenset() if caller == GATEWAY else self.access.holders.caller(caller).groups

    def may(self, caller: str, action: Action, dataset: str) -> bool:
        """Whether the caller may do it to a dataset of the project."""
        return self._decide(caller, action, DatasetName(self.catalogue.project, dataset)).allowed

    def need_project(self, caller: str, action: Action) -> None:
        self._need(caller, action, self.catalogue.project)

    def need_dataset(self, caller: str, action: Action, dataset: str) -> None:
        """Who may create datasets hears that one does not exist; everybody else hears only that it is not for them."""
        name = DatasetName(self.catalogue.project, dataset)
        decision = self._decide(caller, action, name)
        if decision.allowed:
            return
        may_create = self.access.decide(caller, Action.CREATE_DATASETS, self.catalogue.project).allowed
        if may_create and self.catalogue.dataset(name) is None:
            raise errors.not_found(f"Dataset {name}")
        raise self._refusal(caller, action, name, decision)

    def need_table(self, caller: str, action: Action, table: TableName) -> None:
        """For what touches a table or its metadata alone, not what a view reads."""
        self._need(caller, action, table)

    def need_read(
        self,
        caller: str,
        tables: Iterable[TableName],
        action: Action = Action.QUERY,
        shadows: Iterable[str] = (),
        touched: Callable[[], Mapping[TableName, frozenset[str]]] = dict,
    ) -> frozenset[TableName]:
        """All tables and views that are read, along chains of views.

        shadows: names of CTEs, in lower case. touched: which columns of the tables are mentioned, asked only where a
        column has a policy tag; a table that is missing: all.
        Raises the refusal for the first table that the caller may not read, and for what the emulator would not do
        right: masking, and row access policies below a materialized view or on a table that a CTE has the name of.
        """
        read: set[TableName] = set()
        for table in sorted(tables):
            facts = self.catalogue.facts(table)
            columns = touched().get(table) if facts is not None and facts.tags else None
            decision = self._need(caller, action, table, columns)
            if decision.masked:
                raise errors.not_served(f"Masking of {decision.masked[0]}")
            if decision.filters:
                self._need_filtered(decision, frozenset(shadows))
            read |= decision.read
        return frozenset(read)

    def need_unprotected(self, tables: Iterable[TableName]) -> None:
        """The emulator loses policy tags and row access policies when a table or column gets another name."""
        for table in sorted(tables):
            facts = self.catalogue.facts(table)
            if facts is not None and (facts.tags or facts.row_policies):
                raise errors.not_served("ALTER of a table with policy tags or row access policies")

    def _need_filtered(self, decision: Decision, shadows: frozenset[str]) -> None:
        """The emulator filters neither what it materialized earlier nor a name that a CTE of the statement has too."""
        for table in decision.read:
            facts = self.catalogue.facts(table)
            if facts is not None and facts.kind is Kind.MATERIALIZED_VIEW:
                raise errors.not_served("A materialized view of a table with row access policies")
            if table.table.casefold() in shadows:
                raise errors.not_served("A CTE with the name of a table that has row access policies")

    def _need(
        self,
        caller: str,
        action: Action,
        resource: TableName | DatasetName | str,
        columns: Iterable[str] | None = None,
    ) -> Decision:
        decision = self._decide(caller, action, resource, columns)
        if not decision.allowed:
            raise self._refusal(caller, action, resource, decision, columns)
        return decision

    def _refusal(
        self,
        caller: str,
        action: Action,
        resource: TableName | DatasetName | str,
        decision: Decision,
        columns: Iterable[str] | None = None,
    ) -> errors.RefusedError:
        """BigQuery's message, and on a second line the group to ask for."""
        group = group_to_ask(self.access, caller, action, resource, decision, columns)
        return errors.refused(f"{decision.denial}\n{sentence(group)}" if group else decision.denial)

    def _decide(
        self,
        caller: str,
        action: Action,
        resource: TableName | DatasetName | str,
        columns: Iterable[str] | None = None,
    ) -> Decision:
        decision = self.access.decide(caller, action, resource, columns)
        if decision.allowed:
            return decision
        self.catalogue.forget()
        return self.access.decide(caller, action, resource, columns)


def _written(project: Project) -> World:
    """Groups, grants on the project and policy tags, as the files have them. Raises NorenError for the first fault."""
    reader = Reader(project)
    imported = reader.imported()
    world = World(
        project.id,
        reader.groups(),
        {},
        tags={tag.name: policy_tag(tag) for tag in reader.policy_tags()},
        project_grants={project.id: (*reader.project_grants(), *(imported.inherited if imported else ()))},
    )
    if reader.faults:
        raise NorenError(str(reader.faults[0]))
    return world
