"""The lineage of a whole project: every model's flow, and from there every column's beginnings."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from iam.engine.names import TableName
from iam.lineage.cache import Cache, Flow, Reads, key, shape_digest
from iam.lineage.models import GIVEN, Model
from iam.lineage.origins import RAW, Origin, Origins, declared
from iam.lineage.sensitivity import Sensitivity, highest, through
from iam.lineage.value import Passage, Value, either, of_table, source, split

RAW_NAME = re.compile(re.escape(RAW), re.IGNORECASE)
ROUNDS = 10


class StaleError(Exception):
    """A model's SQL is needed and only its digest is known: the manifest has to be read again."""


class Lineage:
    """models: by relation, `project.dataset.table`. flows: by relation, of what is built. faults: relation -> why its
    lineage cannot be told, with file and line. readers: ids of nodes that name a table of raw -> (place, table)."""

    def __init__(self, project: str, origins: Origins, models: Iterable[Model]) -> None:
        self.project, self.origins = project, origins
        self.nodes = list(models)
        self.models = {model.relation: model for model in self.nodes if model.relation}
        self.flows: dict[str, Flow] = {}
        self.reads: dict[str, tuple[str, ...]] = {}
        self.faults: dict[str, str] = {}
        self._sensitivities: dict[str, Sensitivity] = {}
        self._shapes: dict[str, str] = {}

    @cached_property
    def begins(self) -> dict[str, Origin]:
        """source -> origin, of tables that no model builds."""
        return {
            source(f"{self.project}.{table}", path): origin
            for table, columns in self.origins.columns.items()
            for path, origin in columns.items()
        }

    @cached_property
    def tables(self) -> dict[str, Any]:
        """relation -> shape, of tables that no model builds."""
        return {f"{self.project}.{table}": shape for table, shape in self.origins.tables.items()}

    def relations(self) -> list[str]:
        """What models build, in order of dataset and name."""
        return sorted(relation for relation, model in self.models.items() if model.kind not in GIVEN)

    def leaves(self, relation: str) -> dict[str, dict[str, Passage]]:
        """Path of each column, in order -> where it comes from; empty for a model that cannot be traced."""
        flow = self.flows.get(relation)
        if flow is None:
            return {}
        return {path: leaf.sources for name, value in flow.columns.items() for path, leaf in value.leaves(name)}

    def sensitivity(self, relation: str, path: str) -> Sensitivity:
        """What a column tells. One that cannot be traced counts as an identifier."""
        return self._sensitivities.get(source(relation, path), Sensitivity.IDENTIFIER)

    def columns(self, relation: str) -> dict[str, Sensitivity]:
        """Every scalar column of a model or table, by path, with what it tells."""
        if relation in self.flows:
            return {path: self.sensitivity(relation, path) for path in self.leaves(relation)}
        shape = self.tables.get(relation)
        paths = [path for path, _ in of_table(relation, shape).leaves()] if shape is not None else []
        return {path: self.sensitivity(relation, path) for path in paths}

    def beginnings(self, name: str) -> dict[Origin, Passage]:
        """The origins of a source, and how they came."""
        if name in self.begins:
            return {self.begins[name]: Passage.COPIED}
        found: dict[Origin, Passage] = {}
        table, path = split(name)
        for inner, passage in self.leaves(table).get(path, {}).items():
            for origin, before in self.beginnings(inner).items():
                how = max(passage, before) if Passage.DECRYPTED in (passage, before) else min(passage, before)
                if origin not in found or found[origin] < how:
                    found[origin] = how
        return found

    def influences(self, relation: str) -> dict[str, tuple[str, ...]]:
        """Columns of what the model reads that decide about its rows, and how."""
        flow = self.flows.get(relation)
        return {name: tuple(hows) for name, hows in flow.influences.items()} if flow else {}

    def raw_readers(self) -> Iterator[tuple[Model, str]]:
        """Nodes that read a table of raw, whatever they are: (node, table or "a name of raw")."""
        for node in self.nodes:
            if node.kind == "source":
                if node.name.lower().startswith(RAW):
                    yield node, node.name
                continue
            for table in self.reads.get(node.id, ()):
                if table.split(".")[1].lower().startswith(RAW):
                    yield node, table.partition(".")[2]


def trace(project: str, models: Iterable[Model], origins: Origins, cache: Cache) -> Lineage:
    """Trace every model. What cannot be traced is in `faults`; what reads it is too.

    Raises StaleError when a model without SQL is not in the cache.
    """
    found = Lineage(project, origins, models)
    _Tracer(found, cache).run()
    cache.save()
    return found


class _Tracer:
    def __init__(self, lineage: Lineage, cache: Cache) -> None:
        self.lineage, self.cache = lineage, cache

    def run(self) -> None:
        for model in self.lineage.models.values():
            if model.kind in GIVEN:
                self.given(model)
        reads = {model.id: self.reads(model) for model in self.lineage.nodes if model.kind not in GIVEN}
        self.lineage.reads = reads
        self.lineage._sensitivities = {name: origin.sensitivity for name, origin in self.lineage.begins.items()}
        self.lineage._sensitivities[source("", "")] = Sensitivity.COUNT
        for model in self.ordered(reads):
            if model.relation not in self.lineage.faults:
                self.model(model, reads[model.id])

    def given(self, model: Model) -> None:
        """A source or seed that contracts do not describe: by its YAML."""
        if model.relation in self.lineage.tables:
            return
        rows = [(name, column.type, column.classification or "") for name, column in model.columns.items()]
        parents = {name.rpartition(".")[0] for name, _, _ in rows}
        if bare := [name for name, _, word in rows if not word and name not in parents]:
            self.lineage.faults[model.relation] = (
                f"{model.yaml}: {model.name}.{bare[0]} has no meta.classification, and no contract says what it is."
            )
            return
        if not rows:
            self.lineage.faults[model.relation] = f"{model.yaml}: {model.name} declares no columns: say what it has."
            return
        try:
            shape, columns = declared(model.name, rows)
        except ValueError as error:
            self.lineage.faults[model.relation] = f"{model.yaml}: {model.name}: {error}; known are {_words()}."
            return
        self.lineage.tables[model.relation] = shape
        self.lineage.begins.update({source(model.relation, path): origin for path, origin in columns.items()})

    def reads(self, model: Model) -> tuple[str, ...]:
        """The tables that a node names. A test is read only where its text could name raw."""
        tables: dict[str, None] = {}
        for number, digest in enumerate(model.digests):
            known = self.cache.reads(digest)
            if known is None:
                if not model.sql:
                    raise StaleError(model.id)
                known = self._read(model.sql[number], model)
                self.cache.add(digest, known)
            if known.fault and model.relation:
                self.fault(model, known.fault, known.line, number)
            tables.update(dict.fromkeys(known.tables))
        return tuple(tables)

    def _read(self, sql: str, model: Model) -> Reads:
        from iam.lineage.query import lineage
        from iam.lineage.scope import LineageError
        from iam.references import UnreadableSQLError, view_sources

        if not model.relation and not RAW_NAME.search(sql):
            return Reads()
        try:
            names = view_sources(sql, self.lineage.project)
        except UnreadableSQLError as error:
            # what cannot be read may read raw: it is told as a reader of it
            unread = () if model.relation else (f"{self.lineage.project}.{RAW}?.?",)
            try:
                lineage(sql, self.lineage.project, lambda _: Value())
            except LineageError as told:
                return Reads(unread, told.reason, told.line)  # the same fault, and where it is
            return Reads(unread, str(error).rstrip("."))
        return Reads(tuple(sorted(f"{name.project}.{name.dataset}.{name.table}" for name in names)))

    def ordered(self, reads: Mapping[str, tuple[str, ...]]) -> Iterator[Model]:
        """Models after what they read. Those that read each other are faults."""
        done: set[str] = set()
        models = self.lineage.models
        for start in sorted(models):
            stack: list[tuple[str, Iterator[str]]] = [(start, iter(reads.get(models[start].id, ())))]
            path = [start]
            while stack:
                relation, waiting = stack[-1]
                inner = next(waiting, None)
                if inner is None:
                    stack.pop()
                    path.pop()
                    if relation not in done:
                        done.add(relation)
                        if models[relation].kind not in GIVEN:
                            yield models[relation]
                elif inner in path and inner != relation:
                    self.fault(models[relation], f"reads {inner.partition('.')[2]}, which reads it", 0, 0)
                elif inner in models and inner not in done and inner not in path:
                    stack.append((inner, iter(reads.get(models[inner].id, ()))))
                    path.append(inner)

    def model(self, model: Model, reads: tuple[str, ...]) -> None:
        if model.hidden:
            self.fault(model, model.hidden, 0, 0)
            return
        if not model.digests:
            self.fault(model, "has no SQL", 0, 0)
            return
        for table in reads:
            if table in self.lineage.faults and table != model.relation:
                self.fault(model, f"reads {table.partition('.')[2]}, whose lineage is not known", 0, 0)
                return
        flows: list[Flow] = []
        for number in range(len(model.digests)):
            flow = self.flow(model, number, reads, flows)
            if flow.fault:
                self.fault(model, flow.fault, flow.line, number)
                return
            flows.append(flow)
        merged = flows[0] if len(flows) == 1 else _merged(flows)
        self.lineage.flows[model.relation] = merged
        self.rate(model.relation, merged)

    def rate(self, relation: str, flow: Flow) -> None:
        """What each column tells. One that reads itself is rated until nothing rises."""
        known = self.lineage._sensitivities
        leaves = [(source(relation, path), leaf.sources) for n, v in flow.columns.items() for path, leaf in v.leaves(n)]
        for name, _ in leaves:
            known[name] = Sensitivity.PUBLIC
        for _ in range(len(Sensitivity) * max(1, len(leaves))):
            risen = False
            for name, sources in leaves:
                told = highest(*(through(known[inner], passage) for inner, passage in sources.items()))
                if told.rank > known[name].rank:
                    known[name], risen = told, True
            if not risen or not any(inner.startswith(f"{relation}#") for _, sources in leaves for inner in sources):
                return

    def flow(self, model: Model, number: int, reads: tuple[str, ...], before: list[Flow]) -> Flow:
        shapes = {table: self.shape(table) for table in reads if table != model.relation}
        if model.relation in reads and before:  # an incremental model's second run reads what the first one made
            shapes[model.relation] = before[0].shape()
        name = key(model.digests[number], ((table, self.digest(table, shape)) for table, shape in shapes.items()))
        known = self.cache.flow(name)
        if known is None:
            if not model.sql:
                raise StaleError(model.id)
            known = self._computed(model.sql[number], shapes)
            self.cache.add(name, known)
        return known

    def _computed(self, sql: str, shapes: Mapping[str, Any]) -> Flow:
        from iam.lineage.query import lineage  # sqlglot: where everything is in the cache nobody waits for it
        from iam.lineage.scope import LineageError

        def upstream(table: TableName) -> Value | None:
            name = f"{table.project}.{table.dataset}.{table.table}"
            shape = shapes.get(name)
            return None if shape is None else of_table(name, shape)

        try:
            relation, influences = lineage(sql, self.lineage.project, upstream)
        except LineageError as error:
            return Flow(fault=error.reason, line=error.line)
        if relation.value_table and relation.columns[0][1].fields is None:
            return Flow(fault="is a table of values without names")
        columns = list((relation.row.fields or {}).items())
        return Flow(dict(columns), influences)

    def shape(self, table: str) -> Any:
        if table in self.lineage.flows:
            return self.lineage.flows[table].shape()
        return self.lineage.tables.get(table)

    def digest(self, table: str, shape: Any) -> str:
        if table not in self.lineage._shapes or table not in self.lineage.flows:
            self.lineage._shapes[table] = shape_digest(shape)
        return self.lineage._shapes[table]

    def fault(self, model: Model, reason: str, line: int, statement: int) -> None:
        self.lineage.faults.setdefault(model.relation, f"{model.line(line, statement)}: {reason}.")


def _merged(flows: list[Flow]) -> Flow:
    """Of a model that runs in more than one way: columns by name."""
    names = dict.fromkeys(name for flow in flows for name in flow.columns)
    columns = {name: either([flow.columns[name] for flow in flows if name in flow.columns]) for name in names}
    influences: dict[str, list[str]] = {}
    for flow in flows:
        for name, hows in flow.influences.items():
            influences[name] = sorted({*influences.get(name, ()), *hows})
    return Flow(columns, influences)


def _words() -> str:
    return ", ".join(Sensitivity)
