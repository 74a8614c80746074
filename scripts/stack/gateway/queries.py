"""May the caller run this query, load or copy job?"""

from collections.abc import Callable
from typing import Any

from iam.columns import touched
from iam.engine import Action, DatasetName, TableName
from iam.engine.denials import no_dataset
from iam.references import UnreadableSQLError, is_metadata
from scripts.stack.gateway import errors, resources
from scripts.stack.gateway.guard import Guard
from scripts.stack.gateway.resources import Json
from scripts.stack.gateway.statements import Demands, demands

type DryRun = Callable[[Json], list[TableName]]
"""Runs a query configuration dry and names the tables that it references; raises RefusedError with the emulator's
error."""


class Queries:
    """Checks job configurations for one caller.

    dry_run: asks the emulator which tables a query touches, as a second opinion.
    """

    def __init__(self, guard: Guard, project: str, caller: str, dry_run: DryRun) -> None:
        self.guard, self.project, self.caller, self.dry_run = guard, project, caller, dry_run

    def configuration(self, given: Any) -> Json:
        """A checked job configuration, rebuilt from what is understood. Raises RefusedError."""
        self.guard.need_project(self.caller, Action.RUN_JOBS)
        kinds = ("query", "load", "copy")
        said = resources.only(given, (*kinds, *resources.JOB_KEYS), "A job configuration", ("jobType",))
        present = [kind for kind in kinds if kind in said]
        if len(present) != 1:
            raise errors.invalid("A job configuration needs exactly one of query, load or copy.")
        check = {"query": self.query, "load": self.load, "copy": self.copy}[present[0]]
        return {**said, present[0]: check(said[present[0]])}

    def query(self, given: Any) -> Json:
        refuse_sessions(given)
        ignored = (*resources.IGNORED_QUERY_KEYS, "createSession", "connectionProperties")
        said = resources.only(given, resources.QUERY_KEYS, "A query", ignored)
        if said.get("useLegacySql") is True:
            raise errors.not_served("Legacy SQL")
        if not isinstance(said.get("query"), str):
            raise errors.invalid("A query job needs a query.")
        wanted = self.statements(said)
        if "destinationTable" in said:
            if not wanted.select:
                raise errors.invalid("A destination table is for a SELECT.")
            self.destination(said["destinationTable"])
        return said

    def statements(self, query: Json) -> Demands:
        """What a script needs, granted. Raises RefusedError for the first thing that is not.

        query: has the script in `query`, and in `defaultDataset` what completes its names.
        """
        default = resources.default_dataset(query.get("defaultDataset"), self.project)
        resources.check_parameters(query.get("queryParameters"))
        try:
            wanted = demands(str(query["query"]), self.project, default)
        except UnreadableSQLError as error:
            if error.syntax:
                raise errors.invalid(str(error), "invalidQuery") from None
            raise errors.denied(str(error)) from None
        # Before reads: INSERT into a table of somebody else is a matter of writing.
        for table in sorted(wanted.writes):
            self.guard.need_table(self.caller, Action.WRITE, table)
        for project, dataset in sorted(wanted.creates | wanted.drops):
            if project != self.project:
                raise errors.refused(no_dataset(DatasetName(project, dataset), Action.OWN))
        for _, dataset in sorted(wanted.drops):
            self.guard.need_dataset(self.caller, Action.OWN, dataset)
        if wanted.creates:
            self.guard.need_project(self.caller, Action.CREATE_DATASETS)

        def mentioned() -> dict[TableName, frozenset[str]]:
            return touched(str(query["query"]), self.project, default, self.guard.catalogue.columns)

        read = self.guard.need_read(self.caller, wanted.reads, shadows=wanted.ctes, touched=mentioned)
        self.guard.need_read(self.caller, wanted.copies, Action.COPY)
        for table in sorted((wanted.reads & wanted.writes) | wanted.truncates):
            self.guard.need_table(self.caller, Action.CHANGE_ROWS, table)
        self.guard.need_unprotected(wanted.alters)
        self.default(default)
        if wanted.scripted or wanted.statements > 1 or not (wanted.creates or wanted.drops):
            self.second_opinion(query, read | wanted.writes)
        return wanted

    def default(self, dataset: tuple[str, str] | None) -> None:
        """A default dataset is one that the caller may read, so that a name that was understood otherwise here than by
        the engine completes to nothing that is closed. BigQuery itself asks for no right on it."""
        if dataset is None or dataset[0] != self.project:
            return
        if self.guard.catalogue.dataset(DatasetName(*dataset)) is not None:
            self.guard.need_dataset(self.caller, Action.QUERY, dataset[1])

    def second_opinion(self, query: Json, seen: frozenset[TableName]) -> None:
        """The emulator's own list of touched tables holds nothing that was not seen here, or the caller may read it
        too. It names what a view reads instead of the view as soon as the project has a row access policy."""
        asked = {
            key: query[key] for key in ("query", "defaultDataset", "parameterMode", "queryParameters") if key in query
        }
        found = self.dry_run({**asked, "useLegacySql": False})
        self.guard.need_read(self.caller, {table for table in found if table not in seen and not is_metadata(table)})

    def destination(self, reference: Any) -> None:
        table = resources.table_name(reference, self.project, resources.DESTINATION_ID)
        self.guard.need_table(self.caller, Action.WRITE, table)

    def load(self, given: Any) -> Json:
        if isinstance(given, dict) and (given.get("sourceUris") or given.get("sourceUri")):
            raise errors.not_served("Loading from Cloud Storage")
        said = resources.only(
            given, resources.LOAD_KEYS, "A load job", ("sourceUris", "preserveAsciiControlCharacters")
        )
        self.destination(said.get("destinationTable"))
        resources.check_defaults(resources.mapping(said.get("schema")).get("fields"))
        return said

    def copy(self, given: Any) -> Json:
        if isinstance(given, dict) and given.get("operationType") not in (None, "COPY", "OPERATION_TYPE_UNSPECIFIED"):
            raise errors.not_served("A copy job of this operation type")
        said = resources.only(given, resources.COPY_KEYS, "A copy job", ("operationType",))
        sources = [*said.get("sourceTables", []), *([said["sourceTable"]] if "sourceTable" in said else [])]
        if not sources:
            raise errors.invalid("A copy job needs a source table.")
        self.destination(said.get("destinationTable"))
        names = {resources.table_name(source, self.project) for source in sources}
        self.guard.need_read(self.caller, names, Action.COPY)
        return said


def refuse_sessions(given: Any) -> None:
    """Sessions keep temporary tables and variables between jobs; none is served."""
    if isinstance(given, dict) and (given.get("createSession") or given.get("connectionProperties")):
        raise errors.not_served("A session")
