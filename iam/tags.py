"""Fine-grained readers of policy tags: policy_tags.json onto the tags of Data Catalog.

The files state all readers of a tag: its binding without a condition becomes theirs. Bindings with a condition and of
other roles are left as they are. Who reads through a mask is granted by data policies, which are not written here.
Plain REST, as in `policies.py`. https://cloud.google.com/data-catalog/docs/reference/rest/v1/projects.locations.taxonomies
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dataflow.errors import NorenError
from iam.engine.rights import FINE_GRAINED_READER
from iam.entries import Json
from iam.files import AccessFiles
from iam.plan import Change
from iam.policies import CONDITIONS, TIMEOUT, Session, words

DATA_CATALOG = "https://datacatalog.googleapis.com"
ATTEMPTS = 20
"""Writes of one tag's policy that lose against other writers before it is given up."""
PAUSE_SECONDS = 0.1


class PolicyTags:
    """The policy tags of a project. session: with credentials. base: another URL in tests."""

    def __init__(self, session: Session, base: str = DATA_CATALOG) -> None:
        self._session, self._base = session, base

    def named(self, project: str, locations: Iterable[str]) -> dict[str, list[str]]:
        """Display name -> resource names of the tags in all taxonomies of the locations."""
        found: dict[str, list[str]] = {}
        for location in sorted(set(locations)):
            for taxonomy in self._pages(f"projects/{project}/locations/{location.lower()}/taxonomies", "taxonomies"):
                for tag in self._pages(f"{taxonomy['name']}/policyTags", "policyTags"):
                    found.setdefault(tag["displayName"], []).append(tag["name"])
        return found

    def policy(self, tag: str) -> Json:
        """The tag's IAM policy, with its etag."""
        found: Json = self._ask("POST", f"{tag}:getIamPolicy", CONDITIONS).json()
        return found

    def write(self, tag: str, policy: Json) -> bool:
        """Replace the policy; False when it is no longer the one that was read."""
        return bool(self._ask("POST", f"{tag}:setIamPolicy", {"policy": policy}, {409}).status_code == 200)

    def _pages(self, path: str, key: str) -> Iterator[Json]:
        token = ""
        while True:
            page = self._ask("GET", f"{path}?pageSize=1000" + (f"&pageToken={token}" if token else "")).json()
            yield from page.get(key, ())
            if not (token := page.get("nextPageToken", "")):
                return

    def _ask(self, method: str, path: str, body: Json | None = None, expected: Iterable[int] = ()) -> Any:
        url = f"{self._base}/v1/{path}"
        answer = self._session.request(method, url, json=body, timeout=TIMEOUT)
        if answer.status_code not in (200, *expected):
            raise NorenError(f"Data Catalog refused {method} {path.partition('?')[0]}: {words(answer)}")
        return answer


def apply_tags(
    tags: PolicyTags, files: AccessFiles, *, dry_run: bool, intended: Callable[[Change], None] = lambda _: None
) -> list[Change]:
    """Make the readers of every policy tag what policy_tags.json says; of all tags of that name, in any taxonomy.

    intended: is given each change before it is made.
    Raises NorenError when Data Catalog refuses, or other writers win ATTEMPTS times.
    """
    if not files.policy_tags:
        return []
    live = tags.named(files.project, (layer.location for layer in files.layers))
    done: list[Change] = []
    for name, stated in files.policy_tags.items():
        if name not in live:
            missing = "no taxonomy of the project has it, make it there and run this again"
            done.append(Change(_where(name), "skip", "its readers", missing))
        for resource in live.get(name, ()):
            done += _apply(tags, resource, name, frozenset(stated.readers), intended, dry_run)
    return done


def drift_of_tags(tags: PolicyTags, files: AccessFiles) -> Iterator[tuple[str, str, str]]:
    """(policy tag, `outside` or `missing` or `no tag`, member) of every difference; members under a condition, too."""
    live = tags.named(files.project, (layer.location for layer in files.layers)) if files.policy_tags else {}
    for name, stated in files.policy_tags.items():
        if name not in live:
            yield _where(name), "no tag", ""
        for resource in live.get(name, ()):
            bindings = [b for b in tags.policy(resource).get("bindings", ()) if b["role"] == FINE_GRAINED_READER]
            plain = {_same(m) for b in bindings if not b.get("condition") for m in b["members"]}
            limited = {_same(m) for b in bindings if b.get("condition") for m in b["members"]}
            wanted = {_same(member) for member in stated.readers}
            yield from ((_where(name), "outside", member) for member in sorted((plain - wanted) | limited))
            yield from ((_where(name), "missing", member) for member in sorted(wanted - plain))


def _apply(
    tags: PolicyTags,
    resource: str,
    name: str,
    wanted: frozenset[str],
    intended: Callable[[Change], None],
    dry_run: bool,
) -> list[Change]:
    for attempt in range(ATTEMPTS):
        policy = tags.policy(resource)
        others = [b for b in policy.get("bindings", ()) if b["role"] != FINE_GRAINED_READER or b.get("condition")]
        present = {m for b in policy.get("bindings", ()) if b not in others for m in b["members"]}
        added = {_same(m) for m in wanted} - {_same(m) for m in present}
        removed = {_same(m) for m in present} - {_same(m) for m in wanted}
        changes = [Change(_where(name), "add", f"reader {member}") for member in sorted(added)]
        changes += [Change(_where(name), "remove", f"reader {member}") for member in sorted(removed)]
        if dry_run or not changes:
            return changes
        if attempt == 0:
            for change in changes:
                intended(change)
        mine = [{"role": FINE_GRAINED_READER, "members": sorted(wanted)}] if wanted else []
        if tags.write(resource, {**policy, "version": 3, "bindings": others + mine}):
            return changes
        time.sleep(PAUSE_SECONDS * random.uniform(1, 2 + attempt))  # noqa: S311
    raise NorenError(f"policy tag {name}: other writers changed it {ATTEMPTS} times in between: try again later.")


def _where(name: str) -> str:
    return f"policy tag {name}"


def _same(member: str) -> str:
    """Comparable: the case of an e-mail does not count."""
    return member.lower() if "@" in member else member
