"""Writes the files of `iam/` from what is live: access lists, row access policies, readers of policy tags, and what is
granted above datasets and on single tables.

For a project that has grown by hand: what is there becomes the files, and from then on the files are what is there.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from dataflow.errors import NorenError
from dataflow.project import Project
from iam.entries import MEMBER_KINDS, RESOURCE_KINDS, Entry, Json, entries, said
from iam.files import load_groups, load_principals, read_entries, shape
from iam.live import Live
from iam.policies import Policies
from iam.positions import Place
from iam.tags import TagServices, readers_of_tags

FOLDERS = {"datasets": MEMBER_KINDS, "authorized_views": RESOURCE_KINDS}


@dataclass
class Imported:
    """written, same: files, relative to the project's root. left_out: entries of kinds that no file can hold, and what
    could not be read. groups, principals: named somewhere and not listed yet."""

    written: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    principals: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Draft:
    """A file to be. says: what a text in its place says, comparable; it raises for a text that no such file has.

    members: IAM members that it names, beside those of access entries.
    """

    text: str
    says: Callable[[str], object]
    members: frozenset[str] = frozenset()


def import_access(
    project: Project,
    live: Live,
    policies: Policies | None,
    *,
    tags: TagServices | None = None,
    tables: bool = True,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Imported:
    """Write the files of iam/ that state access, and iam/imported.json, for the project that `live` speaks to.

    policies: None leaves out project IAM; then no answer is proved. tags: None leaves out readers of policy tags.
    tables: also grants and row access policies of single tables, one request each. overwrite: replace files that say
    something else.
    Raises NorenError, before anything is written, when a file says something else, or when a policy may not be read.
    """
    result = Imported()
    names = live.datasets()
    say(f"{len(names)} datasets")
    live.read(names)
    resources = {name: live.dataset(name) or {} for name in names}
    lists = {name: entries(resource.get("access") or []) for name, resource in resources.items()}
    drafts = dict(_access(lists, live.project, result))
    if tables:
        say("row access policies")
        drafts |= _rows(live, names, result)
    if tags is not None:
        say("readers of policy tags")
        drafts |= _tags(tags, live.project, resources, result)
    texts = {file: draft.text for file, draft in drafts.items() if not _same(project, file, draft, result, overwrite)}
    above: list[Entry] = []
    if policies is not None:
        say(f"grants of the project {live.project} and above it")
        above, closed = policies.inherited(live.project)
        result.left_out += [f"{name}: its grants may not be read" for name in closed]
        below: Mapping[tuple[str, str], tuple[Entry, ...]] = {}
        if tables:
            say("grants of single tables")
            below = policies.tables(live.project, ((d, table) for d in names for table in live.tables(d) or ()))
        texts["iam/imported.json"] = _imported(above, below, tables and not closed)
    for file, text in texts.items():
        path = project.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        result.written.append(file)
    named = (Entry({"role": "", "iamMember": member}) for draft in drafts.values() for member in draft.members)
    _unlisted(project, (*above, *(entry for found in lists.values() for entry in found), *named), result)
    return result


def _access(lists: Mapping[str, tuple[Entry, ...]], project: str, result: Imported) -> Iterator[tuple[str, _Draft]]:
    def says(text: str) -> object:
        return set(read_entries(text, "", project))

    for name, found in lists.items():
        for folder, kinds in FOLDERS.items():
            kept = tuple(entry for entry in found if entry.kind in kinds and not entry.deleted and fits(entry, kinds))
            if kept or folder == "datasets":
                yield f"iam/{folder}/{name}.json", _Draft(listing((e.resource for e in kept), project), says)
        for entry in found:
            if not fits(entry, (*MEMBER_KINDS, *RESOURCE_KINDS)) or entry.deleted:
                result.left_out.append(f"{name}: {entry}")


def _rows(live: Live, datasets: list[str], result: Imported) -> dict[str, _Draft]:
    """iam/row_access_policies/, of the datasets that have any."""
    tables = ((dataset, table) for dataset in datasets for table in live.tables(dataset, views=False) or ())
    found: dict[str, list[Json]] = {}
    for (dataset, table), policies in live.row_policies_of(tables):
        for name, policy in sorted(policies.items()):
            members = _members(policy["grantees"], f"{dataset}: row access policy {name} on {table}", result)
            found.setdefault(dataset, []).append({**policy, "grantees": members})

    def says(text: str) -> object:
        stated = (
            (tuple(item["rowAccessPolicyReference"][key] for key in ("tableId", "policyId")), item)
            for item in json.loads(text)
        )
        return {name: said(item["filterPredicate"], item["grantees"]) for name, item in stated}

    return {
        f"iam/row_access_policies/{dataset}.json": _Draft(
            listing(policies, live.project), says, frozenset(chain.from_iterable(p["grantees"] for p in policies))
        )
        for dataset, policies in found.items()
    }


def _tags(services: TagServices, project: str, resources: Mapping[str, Json], result: Imported) -> dict[str, _Draft]:
    """iam/policy_tags.json, of the tags in the locations of the datasets."""
    locations = {str(resource.get("location") or "US") for resource in resources.values()}
    items: list[Json] = []
    for name, readers in sorted(readers_of_tags(services, project, locations).items()):
        where = f"policy tag {name}"
        result.left_out += [f"{where}: {told}" for told in readers.left_out]
        if not readers.stated:
            continue
        masked = [
            {"predefinedExpression": expression, "readers": _members(members, where, result)}
            for expression, members in readers.masked.items()
        ]
        stated = {"policyTag": name, "description": readers.description or name}
        items.append({**stated, "readers": _members(readers.clear, where, result), "masked": masked})

    def says(text: str) -> object:
        return {
            item["policyTag"]: (
                said("", item["readers"])[1],
                {mask["predefinedExpression"]: said("", mask["readers"])[1] for mask in item.get("masked", ())},
            )
            for item in json.loads(text)
        }

    lists = chain.from_iterable((item["readers"], *(mask["readers"] for mask in item["masked"])) for item in items)
    draft = _Draft(listing(items, project), says, frozenset(chain.from_iterable(lists)))
    return {"iam/policy_tags.json": draft} if items else {}


def _members(members: Iterable[str], where: str, result: Imported) -> list[str]:
    """Those that a file can hold; the others are told."""
    kept = []
    for member in sorted(members):
        if list(shape.members([member], Place(""))):
            result.left_out.append(f"{where}: {member}")
        else:
            kept.append(member)
    return kept


def fits(entry: Entry, kinds: tuple[str, ...]) -> bool:
    """Whether a file can hold the entry."""
    return not list(shape.entry(entry.given, Place(""), kinds))


def listing(items: Iterable[Json], project: str) -> str:
    """A file's text: an item a line, `${project}` for the project's id."""
    lines = ",\n".join(f"  {json.dumps(_named(item, project), ensure_ascii=False)}" for item in items)
    return f"[\n{lines}\n]\n" if lines else "[]\n"


def _named(value: Any, project: str, key: str = "") -> Any:
    """With `${project}` where the project's id stands: as the project of a reference, in service accounts' domains."""
    if isinstance(value, dict):
        named = {key: _named(item, project, key) for key, item in value.items()}
        return dict(sorted(named.items(), key=lambda pair: (pair[0] != "role", pair[0] == "condition")))
    if isinstance(value, list):
        return [_named(item, project) for item in value]
    if key == "projectId" and value == project:
        return "${project}"
    if isinstance(value, str) and value.endswith(f"@{project}.iam.gserviceaccount.com"):
        return value.replace(f"@{project}.iam", "@${project}.iam")
    return value


def _same(project: Project, file: str, draft: _Draft, result: Imported, overwrite: bool) -> bool:
    """Whether the file says the same already. Raises NorenError when it says something else, unless overwritten."""
    path = project.root / file
    if not path.is_file():
        return False
    try:
        same = draft.says(path.read_text("utf-8")) == draft.says(draft.text)
    except (NorenError, ValueError, LookupError, TypeError, AttributeError):
        same = False
    if same:
        result.same.append(file)
    elif not overwrite:
        raise NorenError(f"{file} says something else than what is live: give --overwrite, or move it away first.")
    return same


def _imported(above: list[Entry], below: Mapping[tuple[str, str], tuple[Entry, ...]], complete: bool) -> str:
    content = {
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "complete": complete,
        "inherited": [entry.given for entry in above],
        "tables": {".".join(name): [entry.given for entry in found] for name, found in sorted(below.items())},
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _unlisted(project: Project, found: Iterable[Entry], result: Imported) -> None:
    """Groups and service identities that are named and not listed."""
    groups = load_groups(project) if (project.iam / "groups.json").is_file() else ()
    declared = load_principals(project) if (project.iam / "principals.json").is_file() else ()
    known = {principal.email for principal in declared}
    named = {(entry.kind, str(entry.subject)) for entry in found if not entry.authorizes and not entry.deleted}
    result.groups = sorted(who for kind, who in named if kind == "groupByEmail" and who not in groups)
    service = sorted(who for kind, who in named if kind == "userByEmail" and who.endswith("gserviceaccount.com"))
    result.principals = [who for who in service if who not in known]
