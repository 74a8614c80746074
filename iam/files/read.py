"""Reads the files of `iam/`: all that can be read, and every fault of the rest.

`load` is for those who act on the files: a file that is wrong in one place is not used at all. `read` is for the
lint, which tells everything that is wrong at once.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from dataflow.errors import NorenError
from dataflow.project import Project
from iam.entries import MEMBER_KINDS, RESOURCE_KINDS, Entry, Json
from iam.files import shape
from iam.files.model import AccessFiles, Imported, PolicyTag, Principal, RowPolicy
from iam.files.shape import DATASET_ID, Fault, Sort
from iam.groups import Group, Groups
from iam.layers import Layers, read_layers
from iam.positions import Place

VARIABLE = re.compile(r"\$\{([^}]*)\}")
ALL_KINDS = (*MEMBER_KINDS, *RESOURCE_KINDS)


def load(project: Project) -> AccessFiles:
    """All files of `iam/`. Raises NorenError with the first thing that is wrong."""
    files, faults = read(project)
    _raise_first(faults)
    return files


def read(project: Project) -> tuple[AccessFiles, list[Fault]]:
    """What of the files can be read, and what is wrong with the rest."""
    reader = Reader(project)
    folder = project.iam
    files = AccessFiles(
        project=project.id,
        datasets={p.stem: reader.dataset(p, MEMBER_KINDS) for p in _listing(folder / "datasets")},
        authorized={p.stem: reader.dataset(p, RESOURCE_KINDS) for p in _listing(folder / "authorized_views")},
        groups=reader.groups(),
        principals=reader.principals(),
        layers=reader.layers(),
        project_grants=reader.project_grants(),
        row_policies=tuple(
            policy for p in _listing(folder / "row_access_policies") for policy in reader.row_policies(p)
        ),
        row_files=frozenset(p.stem for p in _listing(folder / "row_access_policies")),
        policy_tags={tag.name: tag for tag in reader.policy_tags()},
        imported=reader.imported(),
    )
    return files, reader.faults


def load_groups(project: Project) -> Groups:
    """groups.json: a list of {"group", "kind", "purpose", "owner", "parents", "members"}."""
    return _strictly(project, Reader.groups)


def load_principals(project: Project) -> tuple[Principal, ...]:
    """principals.json: a list of {"email", "purpose", "active"}."""
    return _strictly(project, Reader.principals)


def load_project_grants(project: Project) -> tuple[Entry, ...]:
    """project.json: a list of access entries that hold for the whole project. Empty when there is no such file."""
    return _strictly(project, Reader.project_grants)


def read_entries(text: str, where: str, project: str, kinds: Iterable[str] = ALL_KINDS) -> tuple[Entry, ...]:
    """A JSON list of access entries.

    where: the file's name, for the sentence of an error. project: what `${project}` stands for. kinds: those allowed
    here. Raises NorenError for anything that BigQuery would refuse or read in another way than it looks.
    """
    reader = Reader(Project(Path(), project))
    found = reader.entries(text, where, tuple(kinds))
    _raise_first(reader.faults)
    return found


class Reader:
    """Reads the files of one project. faults: what is wrong with those that were read, in order."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.faults: list[Fault] = []

    def dataset(self, path: Path, kinds: tuple[str, ...]) -> tuple[Entry, ...]:
        """The entries of a file that is named for a dataset."""
        where = self._name(path)
        if not DATASET_ID.fullmatch(path.stem):
            told = f"{path.stem} cannot be a dataset: letters, digits and underscores only"
            self._fault(Sort.SHAPE, Place(where), told)
            return ()
        return self.entries(self._text(path), where, kinds)

    def entries(self, text: str, where: str, kinds: tuple[str, ...]) -> tuple[Entry, ...]:
        """The entries of a list; those that say the same are taken once."""
        found, faults = _entries(text, where, kinds, self.project.id)
        self.faults += faults
        return found

    def _entries(self, text: str, where: str, kinds: tuple[str, ...]) -> tuple[Entry, ...]:
        found: dict[Entry, int] = {}
        for item, place in self._items(text, where):
            if self._faulty(shape.entry(item, place, kinds)):
                continue
            entry = Entry(item, place)
            if entry in found:
                told = f"says the same as entry {found[entry]}"
                self._fault(Sort.DUPLICATE, place, told, "remove one of them.")
            else:
                found[entry] = int(place.path[0]) + 1
        return tuple(found)

    def groups(self) -> Groups:
        """groups.json. What contradicts itself is left out: a second group of a name, parents that are not listed."""
        path = self.project.iam / "groups.json"
        groups: dict[str, Group] = {}
        for item, place in self._file(path):
            if self._faulty(shape.group(item, place)):
                continue
            group = Group(
                email=item["group"].lower(),
                kind=item["kind"],
                purpose=item["purpose"],
                owner=item["owner"].lower(),
                parents=frozenset(parent.lower() for parent in item.get("parents", [])),
                members=frozenset(member.lower() for member in item.get("members", [])),
                place=place,
            )
            if group.email in groups:
                told = f"group {group.email} is listed twice"
                self._fault(Sort.DUPLICATE_GROUP, place / "group", told, "keep one of the two.")
            groups.setdefault(group.email, group)
        for group in groups.values():
            if unknown := sorted(group.parents - groups.keys()):
                told = f"parent {unknown[0]} of group {group.email} is not listed"
                hint = shape.did_you_mean(unknown[0], groups) or "add it as a group."
                self._fault(Sort.UNKNOWN_GROUP, (group.place or Place("")) / "parents", told, hint)
                groups[group.email] = replace(group, parents=group.parents & groups.keys())
        try:
            return Groups(groups.values(), self._name(path))
        except NorenError as error:
            _, _, told = str(error).partition(": ")
            self._fault(Sort.SHAPE, Place(self._name(path)), told.removesuffix("."))
            return Groups(replace(group, parents=frozenset(), members=frozenset()) for group in groups.values())

    def principals(self) -> tuple[Principal, ...]:
        return tuple(
            Principal(item["email"].lower(), item["purpose"], item["active"], place)
            for item, place in self._file(self.project.iam / "principals.json")
            if not self._faulty(shape.principal(item, place))
        )

    def project_grants(self) -> tuple[Entry, ...]:
        path = self.project.iam / "project.json"
        return self.entries(self._text(path), self._name(path), MEMBER_KINDS) if path.is_file() else ()

    def layers(self) -> Layers:
        path = self.project.iam / "layers.yaml"
        try:
            return read_layers(path)
        except NorenError as error:
            where = self._name(path)
            self._fault(Sort.UNREADABLE, Place(where), str(error).removeprefix(where).lstrip(":, ").removesuffix("."))
            return Layers({}, where)

    def row_policies(self, path: Path) -> Iterator[RowPolicy]:
        for item, place in self._file(path):
            if self._faulty(shape.row_policy(item, place, path.stem, self.project.id)):
                continue
            reference = item["rowAccessPolicyReference"]
            yield RowPolicy(
                dataset=path.stem,
                table=reference["tableId"],
                policy=reference["policyId"],
                predicate=item["filterPredicate"],
                grantees=tuple(_member(member) for member in item["grantees"]),
                place=place,
            )

    def policy_tags(self) -> Iterator[PolicyTag]:
        path = self.project.iam / "policy_tags.json"
        for item, place in self._file(path) if path.is_file() else ():
            if self._faulty(shape.policy_tag(item, place)):
                continue
            rules = item.get("masked", [])
            masked = {_member(member): rule["predefinedExpression"] for rule in rules for member in rule["readers"]}
            readers = tuple(_member(member) for member in item["readers"])
            yield PolicyTag(item["policyTag"], item["description"], readers, masked, place)

    def imported(self) -> Imported | None:
        """imported.json: {"at", "complete", "inherited": [entries], "tables": {"dataset.table": [entries]}}."""
        path = self.project.iam / "imported.json"
        if not path.is_file():
            return None
        where, text = self._name(path), self._text(path)
        item, place = self._json(text, where), Place(where, (), text)
        if item is None or self._faulty(shape.keys(item, ("at", "complete", "inherited", "tables"), (), place)):
            return None
        try:
            at = datetime.fromisoformat(item["at"])
        except (TypeError, ValueError):
            self._fault(Sort.SHAPE, place / "at", "at must be a time, e.g. 2026-01-01T00:00:00Z")
            return None
        return Imported(
            at=at,
            complete=item["complete"] is True,
            inherited=tuple(self._imported_entries(item["inherited"], place / "inherited")),
            tables={
                (dataset, table): tuple(self._imported_entries(entries, place / "tables" / name))
                for name, entries in item["tables"].items()
                for dataset, _, table in [name.partition(".")]
            },
        )

    def _imported_entries(self, items: Any, place: Place) -> Iterator[Entry]:
        if not isinstance(items, list):
            self._fault(Sort.SHAPE, place, "must be a JSON list")
            return
        for number, item in enumerate(items):
            here = place / number
            if not self._faulty(shape.entry(item, here, MEMBER_KINDS)):
                yield Entry(item, here)

    def _file(self, path: Path) -> Iterator[tuple[Any, Place]]:
        return self._items(self._text(path), self._name(path))

    def _items(self, text: str, where: str) -> Iterator[tuple[Any, Place]]:
        """The items of a JSON list with their places; those with a variable that is not known are left out."""
        content = self._json(text, where) if text else None
        if content is None:
            return
        if not isinstance(content, list):
            self._fault(Sort.SHAPE, Place(where, (), text), "must be a JSON list")
            return
        for number, item in enumerate(content):
            place = Place(where, (number,), text)
            try:
                item = _substituted(item, self.project.id)
            except KeyError as unknown:
                self._fault(Sort.SHAPE, place, f"${{{unknown.args[0]}}} is not known: only ${{project}} is substituted")
            else:
                yield item, place

    def _json(self, text: str, where: str) -> Any:
        repeated: list[str] = []

        def unique(pairs: list[tuple[str, Any]]) -> Json:
            found = dict(pairs)
            if len(found) != len(pairs):
                names = [key for key, _ in pairs]
                repeated.extend(key for key in found if names.count(key) > 1)
            return found

        try:
            content = json.loads(text, object_pairs_hook=unique)
        except json.JSONDecodeError as error:
            place = Place(where, (), "\n" * (error.lineno - 1) + " " * (error.colno - 1) + ".")
            self._fault(Sort.UNREADABLE, place, f"is no JSON: {error.msg}")
            return None
        if repeated:
            place = Place(where, (), text)
            self._fault(Sort.UNREADABLE, place, f"key {repeated[0]!r} is given twice in one object")
            return None
        return content

    def _text(self, path: Path) -> str:
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            told = error.strerror if isinstance(error, OSError) else "is no UTF-8 text"
            self._fault(Sort.UNREADABLE, Place(self._name(path)), f"cannot be read: {told}")
            return ""

    def _name(self, path: Path) -> str:
        return path.relative_to(self.project.root).as_posix()

    def _fault(self, sort: Sort, place: Place, message: str, suggestion: str = "") -> None:
        self.faults.append(Fault(sort, place, message, suggestion))

    def _faulty(self, faults: Iterable[Fault]) -> bool:
        found = list(faults)
        self.faults += found
        return bool(found)


@lru_cache(maxsize=2048)
def _entries(
    text: str, where: str, kinds: tuple[str, ...], project: str
) -> tuple[tuple[Entry, ...], tuple[Fault, ...]]:
    """What a file says is read once: who compares with a revision finds most files as they are now."""
    reader = Reader(Project(Path(), project))
    return reader._entries(text, where, kinds), tuple(reader.faults)


def _strictly[T](project: Project, part: Callable[[Reader], T]) -> T:
    reader = Reader(project)
    found = part(reader)
    _raise_first(reader.faults)
    return found


def _raise_first(faults: list[Fault]) -> None:
    if faults:
        raise NorenError(str(faults[0]))


def _listing(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.json") if path.is_file())


def _substituted(value: Any, project: str) -> Any:
    """Raises KeyError for a variable that is not known."""
    if isinstance(value, dict):
        return {key: _substituted(item, project) for key, item in value.items()}
    if isinstance(value, list):
        return [_substituted(item, project) for item in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    for name in VARIABLE.findall(value):
        if name != "project":
            raise KeyError(name)
    return value.replace("${project}", project)


def _member(member: str) -> str:
    """An IAM member with its e-mail in lower case: names compare case-insensitively, prefixes do not."""
    prefix, colon, rest = member.partition(":")
    return f"{prefix}{colon}{rest.lower()}"
