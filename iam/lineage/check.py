"""The proof: no view carries what it must not, and none says less than it carries.

Fails closed: a model that cannot be traced is a finding, whatever it may be.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from iam.entries import Entry
from iam.lineage.models import Model
from iam.lineage.origins import RAW
from iam.lineage.sensitivity import PERSONAL, Sensitivity, highest
from iam.lineage.trace import Lineage
from iam.lineage.value import source

MATERIAL = frozenset({"table", "incremental", "snapshot", "materialized_view"})
"""Kinds whose columns can have policy tags: https://cloud.google.com/bigquery/docs/column-level-security#limitations"""

LANE = re.compile(r"pseudonymi[sz]ed|personal data|personenbezogen", re.IGNORECASE)
"""What the description of a view over people says."""
BELITTLING = re.compile(r"\b(anonymous|anonymi[sz]ed|not? personal data|non-personal)\b", re.IGNORECASE)
NEGATED = re.compile(r"\b(not|never|no protection|is no)\b[^.]*$", re.IGNORECASE)

CODES = {
    "untraceable": "The lineage of a model cannot be told, so nothing is proved of it or of what reads it.",
    "reads_raw": "Something else than the anonymizer reads a dataset of raw.",
    "identifier": "An identifier in clear reaches a column.",
    "classification": "A column declares less than it carries, or nothing although it carries something.",
    "policy_tag": "A policy tag is below what its column carries, or a table's column lacks the tag that there is.",
    "description": "A description or label understates what a view carries.",
}


@dataclass(frozen=True)
class Finding:
    """code: one of CODES. place: file, with a line where one is at fault. message: a sentence with the way out."""

    code: str
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


def check(
    lineage: Lineage, root: Path, authorized: Mapping[str, tuple[Entry, ...]], tags: frozenset[str] = frozenset()
) -> list[Finding]:
    """Everything that is wrong.

    root: where the YAML files are, for lines. authorized: source dataset -> what it authorizes, of the access files.
    tags: display names of the policy tags that there are; one that is a word of the scale stands for it.
    """
    found = [
        *_faults(lineage),
        *_raw(lineage, authorized),
        *(finding for relation in lineage.relations() for finding in _relation(lineage, relation, root, tags)),
    ]
    return sorted(
        found, key=lambda finding: (list(CODES).index(finding.code), *_placed(finding.place), finding.message)
    )


def _placed(place: str) -> tuple[str, int]:
    file, _, line = place.partition(":")
    return file, int(line) if line.isdigit() else 0


def _faults(lineage: Lineage) -> Iterator[Finding]:
    for fault in lineage.faults.values():
        place, _, reason = fault.partition(": ")
        yield Finding(
            "untraceable", place, f"{reason} Write it in SQL that can be traced; nothing is proved of it now."
        )


def _raw(lineage: Lineage, authorized: Mapping[str, tuple[Entry, ...]]) -> Iterator[Finding]:
    for model, table in lineage.raw_readers():
        if "?" in table:
            yield Finding("reads_raw", model.file, f"names {RAW} in SQL that cannot be read: take it out.")
        else:
            verb = "declares" if model.kind == "source" else "reads"
            yield Finding(
                "reads_raw", model.file, f"{verb} {table}: only the anonymizer reads raw; read anonymized__ instead."
            )
    for dataset, entries in sorted(authorized.items()):
        if dataset.lower().startswith(RAW):
            for entry in entries:
                yield Finding(
                    "reads_raw",
                    f"iam/authorized_views/{dataset}.json",
                    f"authorizes {entry} on raw, which only the anonymizer reads: remove the entry.",
                )


def _relation(lineage: Lineage, relation: str, root: Path, tags: frozenset[str]) -> Iterator[Finding]:
    model = lineage.models[relation]
    columns = lineage.columns(relation)
    for path, told in columns.items():
        yield from _column(lineage, model, path, told, root, tags)
    yield from _description(model, highest(*columns.values()), root)


def _column(
    lineage: Lineage, model: Model, path: str, told: Sensitivity, root: Path, tags: frozenset[str]
) -> Iterator[Finding]:
    where = f"{model.name}.{path}"
    because = _because(lineage, model.relation, path)
    if told is Sensitivity.IDENTIFIER:
        yield Finding(
            "identifier", model.file, f"{where} carries an identifier in clear{because}; no column of a view may."
        )
        return
    declared = _declared(model, path)
    place = line_of(root, model.yaml, model.relation.rpartition(".")[2], path)
    if declared is None:
        if told is not Sensitivity.PUBLIC:
            yield Finding(
                "classification",
                place,
                f"{where} carries {told}{because}, and declares nothing: "
                f"add config: {{meta: {{classification: {told}}}}}.",
            )
    elif declared not in set(Sensitivity):
        words = ", ".join(Sensitivity)
        yield Finding("classification", place, f"{where}: classification {declared} is no word of the scale: {words}.")
    elif Sensitivity(declared).rank < told.rank:
        yield Finding("classification", place, f"{where} is declared {declared}, and carries {told}{because}.")
    yield from _tags(model, path, told, place, tags)


def _declared(model: Model, path: str) -> str | None:
    """Of the column, or of the struct that it is in."""
    steps = path.lower().split(".")
    for length in range(len(steps), 0, -1):
        column = model.columns.get(".".join(steps[:length]))
        if column is not None and column.classification is not None:
            return column.classification
    return None


def _tags(model: Model, path: str, told: Sensitivity, place: str, tags: frozenset[str]) -> Iterator[Finding]:
    column = model.columns.get(path.lower())
    mine = [Sensitivity(tag) for tag in (column.tags if column else ()) if tag in set(Sensitivity)]
    if mine and highest(*mine).rank < told.rank:
        yield Finding(
            "policy_tag", place, f"{model.name}.{path} has the policy tag {highest(*mine)}, and carries {told}."
        )
    elif not mine and str(told) in tags and model.kind in MATERIAL:
        yield Finding("policy_tag", place, f"{model.name}.{path} carries {told} and has no policy tag: add {told}.")


def _description(model: Model, most: Sensitivity, root: Path) -> Iterator[Finding]:
    """A view that says something of single people says in which lane it is, and does not call itself harmless."""
    if most.rank < PERSONAL.rank:
        return
    place = line_of(root, model.yaml, model.relation.rpartition(".")[2])
    texts = {"": model.description, **{f".{name}": column.description for name, column in model.columns.items()}}
    for name, text in texts.items():
        for match in BELITTLING.finditer(text):
            if not NEGATED.search(text[: match.start()]):
                yield Finding(
                    "description", place, f"{model.name}{name} is called {match[0].lower()}, and carries {most}."
                )
    if not LANE.search(model.description):
        yield Finding(
            "description", place, f"{model.name} carries {most}; its description must say that it is pseudonymized."
        )
    if (lane := model.labels.get("lane", "pseudonymized")) != "pseudonymized":
        yield Finding("description", place, f"{model.name} has the label lane: {lane}, and carries {most}.")


def _because(lineage: Lineage, relation: str, path: str) -> str:
    """`: from app_event.user_id (identifier), token` of the most telling origin."""
    origins = sorted(
        lineage.beginnings(source(relation, path)), key=lambda origin: (-origin.sensitivity.rank, origin.field)
    )
    return f", from {origins[0]}" if origins else ""


def line_of(root: Path, file: str, *names: str) -> str:
    """`file:line` of an entry `- name: ...` within the entries before it; the file alone when there is none."""
    try:
        lines = (root / file).read_text("utf-8").splitlines()
    except OSError:
        return file
    found = 0
    for name in names:
        wanted = re.compile(rf"\s*-\s*(\{{\s*)?name:\s*[\"']?{re.escape(name)}[\"']?\s*($|[,}}#])", re.IGNORECASE)
        at = next((number for number in range(found, len(lines)) if wanted.match(lines[number])), None)
        if at is None:
            break
        found = at + 1
    return f"{file}:{found}" if found else file
