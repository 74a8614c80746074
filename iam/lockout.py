"""Who may change an access list, and whom a change would lock out.

Three kinds of entries are kept although the files lack them, and the plan says so: the last owner, what lets the
applier itself change the list, and the last entry of a service identity that principals.json has in use.
"""

from collections.abc import Collection, Iterable

from iam.engine.rights import RIGHTS, Right
from iam.entries import Entry
from iam.files import AccessFiles


def locked_out(
    files: AccessFiles,
    present: Iterable[Entry],
    removed: Iterable[Entry],
    added: Iterable[Entry],
    identity: str | None,
    let_go: Collection[str] = (),
) -> dict[Entry, str]:
    """Entries among `removed` that have to stay -> why.

    present: the live list. identity: who changes it, an e-mail, where that is known. let_go: service identities that
    may lose their last entry.
    """
    removed = tuple(removed)
    left = [entry for entry in (*present, *added) if entry not in removed]
    kept: dict[Entry, str] = {}
    if not any(_owns(entry) for entry in left):
        kept |= {entry: "it is the last owner" for entry in removed if _owns(entry)}
    if identity is not None:
        mine = {identity.lower(), *files.groups.of(identity)}
        if not any(_owns(entry) and entry.subject in mine for entry in (*left, *kept)):
            kept |= {
                entry: f"{identity} would lock itself out"
                for entry in removed
                if _owns(entry) and entry.subject in mine
            }
    holders = {entry.subject for entry in (*left, *kept) if not entry.authorizes and isinstance(entry.subject, str)}
    for principal in files.principals:
        if principal.active and principal.email not in holders and principal.email not in let_go:
            why = f"{principal.email} is in use (iam/principals.json) and would have no access left"
            kept |= {entry: why for entry in removed if entry.subject == principal.email}
    return kept


def may_change(files: AccessFiles, present: Iterable[Entry], identity: str) -> bool:
    """Whether the identity may change the list, as far as can be known: False only when that is certain.

    Changing what a view may read takes bigquery.datasets.update on the *source* (dbt-core#2911). Who is in a group that
    groups.json does not list, or has a basic role on the project, is not known here.
    """
    if not is_service(identity):
        return True
    mine = {identity.lower(), *files.groups.of(identity)}
    above = files.imported.inherited if files.imported else ()
    for entry in (*present, *files.project_grants, *above):
        rights = RIGHTS.get(entry.role)
        if entry.authorizes or (rights is not None and Right.OWN not in rights):
            continue
        listed = entry.kind == "groupByEmail" and entry.subject in files.groups
        if entry.subject in mine or not (listed or entry.kind == "userByEmail"):
            return True
    return False


def is_service(email: str) -> bool:
    """Whether an e-mail is that of a service identity."""
    return email.endswith("gserviceaccount.com")


def _owns(entry: Entry) -> bool:
    return Right.OWN in RIGHTS.get(entry.role, ()) and entry.condition is None
