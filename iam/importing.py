"""Writes the files of `iam/` from what is live: datasets' access lists, and the grants above and below them.

For a project that has grown by hand: what is there becomes the files, and from then on the files are what is there.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dataflow.errors import NorenError
from dataflow.project import Project
from iam.entries import MEMBER_KINDS, RESOURCE_KINDS, Entry, Json, entries
from iam.files import load_groups, load_principals, read_entries, shape
from iam.live import Live
from iam.policies import Policies
from iam.positions import Place

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


def import_access(
    project: Project,
    live: Live,
    policies: Policies | None,
    *,
    tables: bool = True,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Imported:
    """Write iam/datasets/, iam/authorized_views/ and iam/imported.json for the project that `live` speaks to.

    policies: None leaves out project IAM; then no answer is proved. tables: also the grants of single tables, one
    request each. overwrite: replace files that say something else.
    Raises NorenError, before anything is written, when a file says something else, or when a policy may not be read.
    """
    result = Imported()
    names = live.datasets()
    say(f"{len(names)} datasets")
    live.read(names)
    lists = {name: entries((live.dataset(name) or {}).get("access") or []) for name in names}
    drafts: dict[str, tuple[Entry, ...]] = {}
    for name, found in lists.items():
        for folder, kinds in FOLDERS.items():
            kept = tuple(entry for entry in found if entry.kind in kinds and not entry.deleted and fits(entry, kinds))
            if kept or folder == "datasets":
                drafts[f"iam/{folder}/{name}.json"] = kept
        for entry in found:
            if not fits(entry, (*MEMBER_KINDS, *RESOURCE_KINDS)) or entry.deleted:
                result.left_out.append(f"{name}: {entry}")
    texts = {file: listing(kept, live.project) for file, kept in drafts.items()}
    texts = {file: text for file, text in texts.items() if not _same(project, file, drafts[file], result, overwrite)}
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
    _unlisted(project, (*above, *(entry for found in lists.values() for entry in found)), result)
    return result


def fits(entry: Entry, kinds: tuple[str, ...]) -> bool:
    """Whether a file can hold the entry."""
    return not list(shape.entry(entry.given, Place(""), kinds))


def listing(items: Iterable[Entry], project: str) -> str:
    """A file's text: an entry a line, `${project}` for the project's id."""
    lines = ",\n".join(f"  {json.dumps(_named(entry.resource, project), ensure_ascii=False)}" for entry in items)
    return f"[\n{lines}\n]\n" if lines else "[]\n"


def _named(value: Json, project: str) -> Json:
    """With `${project}` where the project's id stands: as the project of a reference, in service accounts' domains."""
    named: Json = {}
    for key, item in value.items():
        if isinstance(item, dict):
            named[key] = _named(item, project)
        elif key == "projectId" and item == project:
            named[key] = "${project}"
        elif isinstance(item, str) and item.endswith(f"@{project}.iam.gserviceaccount.com"):
            named[key] = item.replace(f"@{project}.iam", "@${project}.iam")
        else:
            named[key] = item
    return dict(sorted(named.items(), key=lambda pair: (pair[0] != "role", pair[0] == "condition")))


def _same(project: Project, file: str, wanted: tuple[Entry, ...], result: Imported, overwrite: bool) -> bool:
    """Whether the file says the same already. Raises NorenError when it says something else, unless overwritten."""
    path = project.root / file
    if not path.is_file():
        return False
    try:
        present = read_entries(path.read_text("utf-8"), file, project.id)
    except NorenError:
        present = None
    if present is not None and set(present) == set(wanted):
        result.same.append(file)
        return True
    if not overwrite:
        raise NorenError(f"{file} says something else than the live dataset: give --overwrite, or move it away first.")
    return False


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
