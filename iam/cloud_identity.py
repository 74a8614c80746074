"""Members of groups as Google Workspace knows them, from Cloud Identity; kept for an hour, never committed.

groups.json says which groups there are, what each is for and who answers for it; Cloud Identity says who is in it.
https://cloud.google.com/identity/docs/reference/rest/v1/groups.memberships/list
"""

import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from dataflow.errors import NorenError
from iam.groups import Group, Groups

KEPT_SECONDS = 3600
PAGE = 500
"""Memberships an answer: the API's most with the full view, which tells groups from people."""
SCOPE = "https://www.googleapis.com/auth/cloud-identity.groups.readonly"
RETRIES = 3


class Directory:
    """Cloud Identity's groups.

    endpoint: of another server than Google's. credentials: default: those of the application.
    """

    def __init__(self, endpoint: str | None = None, credentials: Any = None) -> None:
        from googleapiclient.discovery import build

        if credentials is None:
            import google.auth

            credentials, _ = google.auth.default(scopes=[SCOPE])
        options = {"api_endpoint": endpoint} if endpoint else None
        self._api = build("cloudidentity", "v1", credentials=credentials, client_options=options, cache_discovery=False)

    def members(self, group: str) -> dict[str, bool]:
        """Address of each direct member -> whether it is a group itself. Empty where there is no such group.

        Raises NorenError when the caller may not ask.
        """
        from googleapiclient.errors import HttpError

        try:
            name = self._api.groups().lookup(groupKey_id=group).execute(num_retries=RETRIES)["name"]
            return dict(self._pages(name))
        except HttpError as error:
            if error.resp.status == 404:
                return {}
            raise NorenError(
                f"Cloud Identity does not tell the members of {group} (HTTP {error.resp.status}): "
                "the caller needs the Groups Reader role of the Workspace, or drop --cloud-identity."
            ) from None

    def _pages(self, name: str) -> Iterator[tuple[str, bool]]:
        memberships = self._api.groups().memberships()
        request = memberships.list(parent=name, pageSize=PAGE, view="FULL")
        while request is not None:
            answer = request.execute(num_retries=RETRIES)
            for membership in answer.get("memberships", []):
                if (address := membership.get("preferredMemberKey", {}).get("id")) is not None:
                    yield str(address).lower(), membership.get("type") == "GROUP"
            request = memberships.list_next(request, answer)


def with_members(groups: Groups, cache: Path, directory: Directory | None = None) -> Groups:
    """The groups of groups.json with Cloud Identity's members in place of the file's, and the groups within them.

    cache: a directory that is never committed; answers in it are used again for KEPT_SECONDS. A group that Cloud
    Identity does not know has no members.
    """
    file = cache / "cloud_identity.json"
    wanted = sorted(group.email for group in groups)
    known = _kept(file, wanted)
    if known is None:
        known = _asked(directory or Directory(), wanted)
        _keep(file, wanted, known)
    listed = {group.email: group for group in groups}
    nested = (Group(email, "", "", "") for email in known if email not in listed)
    everything = (*listed.values(), *nested)
    return Groups(replace(g, members=frozenset(known.get(g.email, ())), parents=frozenset()) for g in everything)


def _asked(directory: Directory, groups: Iterable[str]) -> dict[str, list[str]]:
    """group -> its members, of the groups given and of those within them."""
    found: dict[str, list[str]] = {}
    waiting = list(groups)
    while waiting:
        group = waiting.pop()
        if group in found:
            continue
        members = directory.members(group)
        found[group] = sorted(members)
        waiting.extend(member for member, is_group in members.items() if is_group)
    return found


def _kept(file: Path, wanted: list[str]) -> dict[str, list[str]] | None:
    try:
        content = json.loads(file.read_text("utf-8"))
        fresh = 0 <= time.time() - content["at"] < KEPT_SECONDS and content["groups"] == wanted
        members: dict[str, list[str]] = content["members"]
        return members if fresh else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(file: Path, wanted: list[str], members: dict[str, list[str]]) -> None:
    """Readable by its owner alone: who is in which group is personal data."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}.draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        json.dump({"at": time.time(), "groups": wanted, "members": members}, out)
    draft.replace(file)
