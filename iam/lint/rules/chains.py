"""Rules of authorized views: the chain from the anonymized lane to the marts, held against what dbt builds."""

from collections import Counter
from collections.abc import Iterator, Mapping

from iam.engine import Kind, Table, TableName
from iam.entries import Entry
from iam.files.shape import did_you_mean
from iam.lint.finding import Append, Finding, Remove, Severity, Spot
from iam.lint.rule import Context, Rule, place

BUDGET = 2_500
"""Authorized resources a dataset: https://cloud.google.com/bigquery/quotas#dataset_limits"""
WARN_FROM = 0.8


class MissingAuthorizedView(Rule):
    """A view that reads another dataset is authorized there, unless all its readers may read that dataset themselves.

    Without the authorization they get 403 on the view. What dbt builds is asked of its manifest, and rendered on the
    fly when there is none. `--fix` adds the entry.
    """

    code, name = "NRN030", "missing-authorized-view"
    fixes = True

    def check(self, context: Context) -> Iterator[Finding]:
        relations, files = context.relations or {}, context.files
        consumers = _consumers(relations, context)
        for view in relations.values():
            if view.kind is Kind.TABLE:
                continue
            for dataset in sorted({s.dataset for s in view.reads if s.project == files.project}):
                if dataset not in files.datasets or authorized(files.authorized.get(dataset, ()), view.name):
                    continue
                reads = context.readers[dataset]
                lacking = sorted(
                    who for who in consumers[view.name] if who not in reads and not files.groups.of(who) & reads
                )
                if lacking:
                    reads_whom = f"{view.name.dataset}.{view.name.table} reads {dataset}"
                    told = f"{reads_whom} and is not authorized there: {lacking[0]} gets 403"
                    file = f"iam/authorized_views/{dataset}.json"
                    entry = {"view": {"projectId": "${project}", **_reference(view.name)}}
                    yield self.finding(Spot(file), told, f"add it ({_file(view)})", Append(file, entry))


class ExcessiveAuthorizedView(Rule):
    """No view is authorized on a dataset that it does not read, and none that dbt does not build.

    The authorization stays when the view is gone, and whoever may make a view of that name reads the source through it.
    A dataset in which dbt builds nothing is somebody else's: its views are not judged. `--fix` removes the entry.
    """

    code, name = "NRN031", "excessive-authorized-view"
    fixes = True

    def check(self, context: Context) -> Iterator[Finding]:
        relations = context.relations or {}
        built = {name.dataset for name, relation in relations.items() if relation.kind is not Kind.TABLE}
        for source, entries in context.files.authorized.items():
            for entry in entries:
                if entry.kind != "view" or (name := _name(entry)).dataset not in built:
                    continue
                relation = relations.get(name)
                if relation is None:
                    hint = did_you_mean(name.table, [n.table for n in relations if n.dataset == name.dataset])
                    told = f"dbt builds no {name.dataset}.{name.table}"
                elif all(read.dataset != source for read in relation.reads):
                    told, hint = f"{name.dataset}.{name.table} does not read {source} ({_file(relation)})", ""
                else:
                    continue
                yield self.finding(place(entry), told, hint or "remove the entry", Remove(place(entry)))


class BrokenChain(Rule):
    """Every link of a chain of views leads somewhere: what a view reads has a file, and so has the dataset of the view.

    A link outside of the files is nobody's to grant, and a view whose own dataset nobody may read is asked by nobody.
    """

    code, name = "NRN032", "broken-chain"

    def check(self, context: Context) -> Iterator[Finding]:
        files = context.files
        for relation in (context.relations or {}).values():
            for read in sorted(relation.reads):
                if read.project == files.project and read.dataset not in files.datasets:
                    told = f"{relation.name.dataset}.{relation.name.table} reads {read.dataset}.{read.table}"
                    hint = f"add iam/datasets/{read.dataset}.json"
                    yield self.finding(Spot(_file(relation)), f"{told}, whose dataset has no file", hint)
        for source, entries in files.authorized.items():
            for entry in entries:
                dataset = entry.subject.get("dataset", entry.subject)
                if dataset["projectId"] == files.project and dataset["datasetId"] not in files.datasets:
                    told = f"{entry} is authorized on {source}, but its dataset has no file: nobody is granted it"
                    hint = did_you_mean(dataset["datasetId"], files.datasets)
                    yield self.finding(place(entry), told, hint or f"add iam/datasets/{dataset['datasetId']}.json")


class OtherRegion(Rule):
    """A view and what it reads are in one region: an authorization works within one only."""

    code, name = "NRN033", "other-region"

    def check(self, context: Context) -> Iterator[Finding]:
        layers = context.files.layers
        for source, entries in context.files.authorized.items():
            for entry in entries:
                dataset = entry.subject.get("dataset", entry.subject)["datasetId"]
                here, there = layers.get(source), layers.get(dataset)
                if here and there and here.location.lower() != there.location.lower():
                    told = f"{source} is in {here.location}, and {dataset} in {there.location}"
                    yield self.finding(place(entry), told, "give both one location in iam/layers.yaml")


class EntryBudget(Rule):
    """At most 2,500 views, datasets and routines are authorized on a dataset.

    BigQuery refuses the list from then on (dbt-bigquery#1240); it is told from four fifths on. A whole authorized
    dataset takes the place of all its views.
    """

    code, name, severity = "NRN034", "entry-budget", Severity.WARNING

    def check(self, context: Context) -> Iterator[Finding]:
        for source, entries in context.files.authorized.items():
            if len(entries) < WARN_FROM * BUDGET:
                continue
            counts = Counter(entry.subject.get("dataset", entry.subject)["datasetId"] for entry in entries)
            most, number = counts.most_common(1)[0]
            told = f"{len(entries):,} of at most {BUDGET:,} resources are authorized on {source}"
            hint = (
                f"authorize the dataset {most} as a whole (targetTypes VIEWS): it takes the place of {number:,} entries"
            )
            yield self.finding(Spot(f"iam/authorized_views/{source}.json"), told, hint)


def authorized(entries: tuple[Entry, ...], view: TableName) -> bool:
    """Whether the entries of a source authorize the view or its whole dataset."""
    by_view = {"projectId": view.project, **_reference(view)}
    by_dataset = {"projectId": view.project, "datasetId": view.dataset}
    return any(
        (entry.kind == "view" and entry.subject == by_view)
        or (
            entry.kind == "dataset"
            and entry.subject["dataset"] == by_dataset
            and "VIEWS" in entry.subject["targetTypes"]
        )
        for entry in entries
    )


def _consumers(relations: Mapping[TableName, Table], context: Context) -> Mapping[TableName, frozenset[str]]:
    """view -> who may ask it: readers of its dataset, and of views over it."""
    found = {name: set(context.readers.get(name.dataset, ())) for name in relations}
    waiting = list(relations)
    while waiting:
        name = waiting.pop()
        if relations[name].kind is Kind.TABLE:
            continue
        for read in relations[name].reads:
            if read in found and not found[name] <= found[read]:
                found[read] |= found[name]
                waiting.append(read)
    return {name: frozenset(who) for name, who in found.items()}


def _file(relation: Table) -> str:
    return relation.place.file if relation.place else "dbt"


def _reference(view: TableName) -> dict[str, str]:
    return {"datasetId": view.dataset, "tableId": view.table}


def _name(entry: Entry) -> TableName:
    subject = entry.subject
    return TableName(subject["projectId"], subject["datasetId"], subject["tableId"])
