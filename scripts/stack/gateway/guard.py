"""Asks the access engine and turns its "no" into a refusal."""

from collections.abc import Iterable

from dataflow.project import Project
from iam.engine import Access, Action, DatasetName, Decision, TableName, World
from iam.files import load_groups, load_project_grants
from scripts.stack.gateway import errors
from scripts.stack.gateway.catalogue import LiveCatalogue


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
        files = [self._project.iam / name for name in ("groups.json", "project.json")]
        stamp = tuple(file.stat().st_mtime_ns if file.exists() else 0 for file in files)
        if self._world is None or stamp != self._stamp:
            project, grants = self.catalogue.project, load_project_grants(self._project)
            written = World(project, load_groups(self._project), {}, project_grants={project: grants})
            self._world, self._stamp = self.catalogue.over(written), stamp
        return Access(self._world)

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
        raise errors.of(decision)

    def need_table(self, caller: str, action: Action, table: TableName) -> None:
        """For what touches a table or its metadata alone, not what a view reads."""
        self._need(caller, action, table)

    def need_read(
        self, caller: str, tables: Iterable[TableName], action: Action = Action.QUERY
    ) -> frozenset[TableName]:
        """All tables and views that are read, along chains of views. Raises the refusal for the first table that the
        caller may not read."""
        read: set[TableName] = set()
        for table in sorted(tables):
            decision = self._need(caller, action, table)
            if decision.masked:
                raise errors.not_served(f"Masking of {decision.masked[0]}")
            read |= decision.read
        return frozenset(read)

    def _need(self, caller: str, action: Action, resource: TableName | DatasetName | str) -> Decision:
        decision = self._decide(caller, action, resource)
        if not decision.allowed:
            raise errors.of(decision)
        return decision

    def _decide(self, caller: str, action: Action, resource: TableName | DatasetName | str) -> Decision:
        decision = self.access.decide(caller, action, resource)
        if decision.allowed:
            return decision
        self.catalogue.forget()
        return self.access.decide(caller, action, resource)
