"""Who has one role on a resource with an IAM policy of its own: the files onto it, and the differences.

The files state all holders of the role: its binding without a condition becomes theirs. Bindings with a condition and
of other roles are left as they are.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from dataflow.errors import NorenError
from iam.entries import Json
from iam.plan import Change

ATTEMPTS = 20
"""Writes of one policy that lose against other writers before it is given up."""
PAUSE_SECONDS = 0.1


class Store(Protocol):
    """Resources with IAM policies."""

    def policy(self, resource: str) -> Json:
        """The resource's policy, with its etag and with conditions."""

    def write(self, resource: str, policy: Json) -> bool:
        """Replace the policy; False when it is no longer the one that was read."""


def reconcile(
    store: Store,
    resource: str,
    role: str,
    wanted: Iterable[str],
    told: Callable[[str, str], Change],
    intended: Callable[[Change], None],
    *,
    dry_run: bool,
) -> list[Change]:
    """Make `wanted` the holders of the role.

    told: (`add` or `remove`, member) -> the change. intended: is given each change before it is made, once.
    Raises NorenError when the store refuses, or other writers win ATTEMPTS times.
    """
    for attempt in range(ATTEMPTS):
        policy = store.policy(resource)
        present, _ = holders(policy, role)
        changes = compared(present, wanted, told)
        if dry_run or not changes:
            return changes
        if attempt == 0:
            for change in changes:
                intended(change)
        others = [b for b in policy.get("bindings", ()) if b["role"] != role or b.get("condition")]
        mine = [{"role": role, "members": sorted(wanted)}] if wanted else []
        if store.write(resource, {**policy, "version": 3, "bindings": others + mine}):
            return changes
        time.sleep(PAUSE_SECONDS * random.uniform(1, 2 + attempt))  # noqa: S311
    raise NorenError(f"{changes[0].dataset}: other writers changed it {ATTEMPTS} times in between: try again later.")


def compared(present: Iterable[str], wanted: Iterable[str], told: Callable[[str, str], Change]) -> list[Change]:
    """What makes one the other: those who come, then those who go."""
    here, there = {_same(member) for member in present}, {_same(member) for member in wanted}
    return [
        *(told("add", member) for member in sorted(there - here)),
        *(told("remove", member) for member in sorted(here - there)),
    ]


def differences(policy: Json, role: str, wanted: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(`outside` or `missing`, member); a member under a condition is outside of the files, too."""
    plain, limited = ({_same(member) for member in members} for members in holders(policy, role))
    stated = {_same(member) for member in wanted}
    yield from (("outside", member) for member in sorted((plain - stated) | limited))
    yield from (("missing", member) for member in sorted(stated - plain))


def holders(policy: Json, role: str) -> tuple[set[str], set[str]]:
    """Members that have the role for good, and those that have it under a condition."""
    found: tuple[set[str], set[str]] = set(), set()
    for binding in policy.get("bindings", ()):
        if binding["role"] == role:
            found[bool(binding.get("condition"))].update(binding["members"])
    return found


def _same(member: str) -> str:
    """Comparable: the case of an e-mail does not count."""
    return member.lower() if "@" in member else member
