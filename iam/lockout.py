"""Who a change of an access list would lock out: nobody is, who has to be able to undo it or to do the work.

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


def _owns(entry: Entry) -> bool:
    return Right.OWN in RIGHTS.get(entry.role, ()) and entry.condition is None
