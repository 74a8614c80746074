"""Asks the access engine and turns its "no" into a refusal."""

from collections.abc import Callable, Iterable
from functools import partial

from dataflow.project import Project
from iam.engine import Access, Right, TableName
from iam.files import load_groups, load_project_grants
from iam.references import UnreadableSQLError
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
        self._access: Access | None = None

    @property
    def access(self) -> Access:
        """The engine, with groups.json and project.json as they are now."""
        files = [self._project.iam / name for name in ("groups.json", "project.json")]
        stamp = tuple(file.stat().st_mtime_ns if file.exists() else 0 for file in files)
        if self._access is None or stamp != self._stamp:
            self._access = Access(self.catalogue, load_groups(self._project), load_project_grants(self._project))
            self._stamp = stamp
        return self._access

    def may(self, caller: str, right: Right, dataset: str) -> bool:
        """Whether the caller has a right on a dataset of the project."""
        return self._sure(lambda: self.access.may(caller, right, self.catalogue.project, dataset), lambda ok: ok)

    def need_project(self, caller: str, right: Right) -> None:
        if right not in self.access.project_rights(caller):
            raise errors.no_project(self.catalogue.project, right)

    def need_dataset(self, caller: str, right: Right, dataset: str) -> None:
        """Who may create datasets hears that one does not exist; everybody else hears only that it is not for them."""
        if self.may(caller, right, dataset):
            return
        project = self.catalogue.project
        may_create = Right.CREATE_DATASETS in self.access.project_rights(caller)
        if may_create and self.catalogue.access(project, dataset) is None:
            raise errors.not_found(f"Dataset {project}:{dataset}")
        raise errors.no_dataset(project, dataset, right)

    def need_table(self, caller: str, right: Right, table: TableName) -> None:
        """For what touches a table or its metadata alone, not what a view reads."""
        if table.project != self.catalogue.project or not self.may(caller, right, table.dataset):
            raise errors.no_table(table, right)

    def need_read(self, caller: str, tables: Iterable[TableName]) -> None:
        """Raises the refusal of a query for the first table that the caller may not read, along chains of views."""
        for table in sorted(tables):
            try:
                answer = self._sure(partial(self.access.may_read, caller, table), lambda answer: answer.allowed)
            except UnreadableSQLError as error:
                raise errors.denied(f"View {table}: {error}") from None
            if not answer.allowed:
                raise errors.no_query(answer.missing or table)

    def _sure[T](self, ask: Callable[[], T], good: Callable[[T], bool]) -> T:
        answer = ask()
        if good(answer):
            return answer
        self.catalogue.forget()
        return ask()
