"""Reads the files of `iam/` strictly: a key that nobody knows is an error, never ignored.

Misread access files widened grants elsewhere (bigquery-etl PR#8136, PR#9462): so every error is one sentence that
names the file and the entry, and a file that is wrong in one place is not used at all.
"""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataflow.errors import NorenError
from dataflow.project import Project
from iam.entries import BASIC_ROLES, MEMBER_KINDS, RESOURCE_KINDS, Entry, Json
from iam.groups import Group, Groups
from iam.layers import Layers, read_layers

DATASET_ID = re.compile(r"[A-Za-z0-9_]{1,1024}")
EMAIL = re.compile(r"[^@\s:]+@[^@\s:]+\.[^@\s:]+")
ROLE = re.compile(r"roles/[A-Za-z0-9_.]+|(projects|organizations)/[a-z0-9-]+/roles/[A-Za-z0-9_.]+")
SPECIAL_GROUPS = ("projectOwners", "projectWriters", "projectReaders", "allAuthenticatedUsers")
REFERENCES = {
    "view": ("projectId", "datasetId", "tableId"),
    "routine": ("projectId", "datasetId", "routineId"),
    "dataset": ("projectId", "datasetId"),
}
VARIABLE = re.compile(r"\$\{([^}]*)\}")


@dataclass(frozen=True)
class Principal:
    """A service identity: its e-mail, what it is for, and whether it is in use yet (else the slot is reserved)."""

    email: str
    purpose: str
    active: bool


@dataclass(frozen=True)
class AccessFiles:
    """What the files of `iam/` say, with `${project}` substituted.

    datasets: dataset id -> its grants, from datasets/<dataset>.json.
    authorized: source dataset id -> the views, datasets and routines that may read it, from authorized_views/.
    project_grants: grants on the whole project, from project.json; applied by Terraform, inherited by every dataset.
    """

    project: str
    datasets: Mapping[str, tuple[Entry, ...]]
    authorized: Mapping[str, tuple[Entry, ...]]
    groups: Groups
    principals: tuple[Principal, ...]
    layers: Layers
    project_grants: tuple[Entry, ...] = ()


def load(project: Project) -> AccessFiles:
    """All files of `iam/`. Raises NorenError with the first thing that is wrong."""
    folder = project.iam
    datasets = {p.stem: _dataset(p, project, MEMBER_KINDS) for p in _listing(folder / "datasets")}
    authorized = {p.stem: _dataset(p, project, RESOURCE_KINDS) for p in _listing(folder / "authorized_views")}
    for dataset, grants in datasets.items():
        if not any(entry.role == BASIC_ROLES["OWNER"] for entry in grants):
            where = _name(folder / "datasets" / f"{dataset}.json", project)
            raise NorenError(f"{where}: the dataset has no owner: add an entry with the role OWNER.")
    if orphans := sorted(authorized.keys() - datasets.keys()):
        where = _name(folder / "authorized_views" / f"{orphans[0]}.json", project)
        raise NorenError(
            f"{where}: there is no iam/datasets/{orphans[0]}.json: the file is named for the dataset that is read."
        )
    layers = read_layers(folder / "layers.yaml")
    for dataset in datasets:
        layers.of(dataset)
    return AccessFiles(
        project=project.id,
        datasets=datasets,
        authorized=authorized,
        groups=load_groups(project),
        principals=load_principals(project),
        layers=layers,
        project_grants=load_project_grants(project),
    )


def load_groups(project: Project) -> Groups:
    """groups.json: a list of {"group", "kind", "purpose", "owner", "parents", "members"}."""
    path = project.iam / "groups.json"
    where, groups = _name(path, project), []
    for number, item in enumerate(_objects(path, project), 1):
        here = f"{where}, entry {number}"
        _keys(item, ("group", "kind", "purpose", "owner"), ("parents", "members"), here)
        for key in ("parents", "members"):
            if not isinstance(item.get(key, []), list):
                raise NorenError(f"{here}: {key} must be a list of e-mail addresses.")
        for address in (item["group"], item["owner"], *item.get("parents", []), *item.get("members", [])):
            if not isinstance(address, str) or not EMAIL.fullmatch(address):
                raise NorenError(f"{here}: {json.dumps(address)} is no e-mail address.")
        groups.append(
            Group(
                email=item["group"].lower(),
                kind=item["kind"],
                purpose=item["purpose"],
                owner=item["owner"].lower(),
                parents=frozenset(parent.lower() for parent in item.get("parents", [])),
                members=frozenset(member.lower() for member in item.get("members", [])),
            )
        )
    return Groups(groups, where)


def load_principals(project: Project) -> tuple[Principal, ...]:
    """principals.json: a list of {"email", "purpose", "active"}."""
    path = project.iam / "principals.json"
    where, found = _name(path, project), []
    for number, item in enumerate(_objects(path, project), 1):
        here = f"{where}, entry {number}"
        _keys(item, ("email", "purpose", "active"), (), here)
        if not str(item["email"]).endswith(".iam.gserviceaccount.com"):
            raise NorenError(f"{here}: {item['email']} is no service account: people come by groups only.")
        if not isinstance(item["active"], bool):
            raise NorenError(f"{here}: active must be true or false.")
        found.append(Principal(item["email"].lower(), item["purpose"], item["active"]))
    return tuple(found)


def load_project_grants(project: Project) -> tuple[Entry, ...]:
    """project.json: a list of access entries that hold for the whole project. Empty when there is no such file."""
    path = project.iam / "project.json"
    return _dataset(path, project, MEMBER_KINDS) if path.is_file() else ()


def read_entries(
    text: str, where: str, project: str, kinds: Iterable[str] = (*MEMBER_KINDS, *RESOURCE_KINDS)
) -> tuple[Entry, ...]:
    """A JSON list of access entries.

    where: the file's name, for the sentence of an error. project: what `${project}` stands for. kinds: those allowed
    here. Raises NorenError for anything that BigQuery would refuse or read in another way than it looks.
    """
    found: dict[Entry, int] = {}
    for number, item in enumerate(_parse(text, where, project), 1):
        entry = Entry(_checked(item, f"{where}, entry {number}", tuple(kinds)))
        if entry in found:
            raise NorenError(f"{where}, entry {number}: says the same as entry {found[entry]}: remove one of them.")
        found[entry] = number
    return tuple(found)


def _dataset(path: Path, project: Project, kinds: Iterable[str]) -> tuple[Entry, ...]:
    where = _name(path, project)
    if not DATASET_ID.fullmatch(path.stem):
        raise NorenError(f"{where}: {path.stem} cannot be a dataset: letters, digits and underscores only.")
    return read_entries(_text(path, where), where, project.id, kinds)


def _checked(item: Json, where: str, kinds: tuple[str, ...]) -> Json:
    present = [kind for kind in (*MEMBER_KINDS, *RESOURCE_KINDS) if kind in item]
    _keys(item, (), ("role", "condition", *MEMBER_KINDS, *RESOURCE_KINDS), where)
    if len(present) != 1:
        raise NorenError(f"{where}: needs exactly one of {', '.join(kinds)}; it has {', '.join(present) or 'none'}.")
    kind = present[0]
    if kind not in kinds:
        folder = "authorized_views" if kind in RESOURCE_KINDS else "datasets"
        raise NorenError(f"{where}: an entry with {kind} belongs in iam/{folder}/.")
    if kind in RESOURCE_KINDS:
        if "role" in item:
            raise NorenError(f"{where}: an authorized {kind} has no role: it may only read. Remove the role.")
        _reference(item[kind], kind, where)
    else:
        _member(item, kind, where)
    if "condition" in item:
        _condition(item["condition"], where)
    return item


def _member(item: Json, kind: str, where: str) -> None:
    role, member = item.get("role"), item[kind]
    if not isinstance(role, str) or not (role in BASIC_ROLES or ROLE.fullmatch(role)):
        raise NorenError(f"{where}: role must be READER, WRITER, OWNER or roles/...; it is {json.dumps(role)}.")
    if not isinstance(member, str) or not member:
        raise NorenError(f"{where}: {kind} must be a text.")
    if kind in ("userByEmail", "groupByEmail") and not EMAIL.fullmatch(member):
        raise NorenError(f"{where}: {kind} must be an e-mail address; it is {json.dumps(member)}.")
    if kind == "specialGroup" and member not in SPECIAL_GROUPS:
        raise NorenError(
            f"{where}: specialGroup must be one of {', '.join(SPECIAL_GROUPS)}; it is {json.dumps(member)}."
        )


def _reference(reference: Any, kind: str, where: str) -> None:
    if not isinstance(reference, dict):
        raise NorenError(f"{where}: {kind} must be an object.")
    if kind == "dataset":
        _keys(reference, ("dataset", "targetTypes"), (), f"{where}, {kind}")
        if reference["targetTypes"] not in (["VIEWS"], ["ROUTINES"], ["VIEWS", "ROUTINES"], ["ROUTINES", "VIEWS"]):
            raise NorenError(f"{where}: targetTypes must list VIEWS, ROUTINES or both.")
        reference = reference["dataset"]
    _keys(reference, REFERENCES[kind], (), f"{where}, {kind}")
    for key, value in reference.items():
        if not isinstance(value, str) or not value:
            raise NorenError(f"{where}: {kind}.{key} must be a text.")


def _condition(condition: Any, where: str) -> None:
    if not isinstance(condition, dict):
        raise NorenError(f"{where}: condition must be an object with an expression.")
    _keys(condition, ("expression",), ("title", "description", "location"), f"{where}, condition")


def _keys(item: Any, required: tuple[str, ...], optional: tuple[str, ...], where: str) -> None:
    if not isinstance(item, dict):
        raise NorenError(f"{where}: must be a JSON object.")
    known = (*required, *optional)
    for key in item:
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            raise NorenError(f"{where}: unknown key {key!r}" + (f": did you mean {close[0]!r}?" if close else "."))
    if missing := [key for key in required if key not in item]:
        raise NorenError(f"{where}: {missing[0]!r} is missing.")


def _listing(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.json") if path.is_file())


def _objects(path: Path, project: Project) -> list[Any]:
    where = _name(path, project)
    return _parse(_text(path, where), where, project.id)


def _text(path: Path, where: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NorenError(f"{where}: cannot be read: {error}.") from error


def _parse(text: str, where: str, project: str) -> list[Any]:
    def unique(pairs: list[tuple[str, Any]]) -> Json:
        keys = [key for key, _ in pairs]
        if repeated := [key for key in keys if keys.count(key) > 1]:
            raise NorenError(f"{where}: key {repeated[0]!r} is given twice in one object.")
        return dict(pairs)

    try:
        content = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise NorenError(f"{where}, line {error.lineno}: is no JSON: {error.msg}.") from error
    if not isinstance(content, list):
        raise NorenError(f"{where}: must be a JSON list.")
    return [_substituted(item, where, project) for item in content]


def _substituted(value: Any, where: str, project: str) -> Any:
    if isinstance(value, dict):
        return {key: _substituted(item, where, project) for key, item in value.items()}
    if isinstance(value, list):
        return [_substituted(item, where, project) for item in value]
    if not isinstance(value, str):
        return value
    if unknown := [name for name in VARIABLE.findall(value) if name != "project"]:
        raise NorenError(f"{where}: ${{{unknown[0]}}} is not known: only ${{project}} is substituted.")
    return value.replace("${project}", project)


def _name(path: Path, project: Project) -> str:
    return path.relative_to(project.root).as_posix()
