"""What the items of the files must look like: every fault of an item, with its place and the way out.

Misread access files widened grants elsewhere (bigquery-etl PR#8136, PR#9462): so a key that nobody knows is a fault,
never ignored.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from iam.entries import BASIC_ROLES, MEMBER_KINDS, RESOURCE_KINDS, Json
from iam.positions import Place

DATASET_ID = re.compile(r"[A-Za-z0-9_]{1,1024}")
EMAIL = re.compile(r"[^@\s:]+@[^@\s:]+\.[^@\s:]+")
ROLE = re.compile(r"roles/[A-Za-z0-9_.]+|(projects|organizations)/[a-z0-9.:-]+/roles/[A-Za-z0-9_.]+")
MEMBER = re.compile(
    r"(user|group|serviceAccount):[^@\s:]+@[^@\s:]+\.[^@\s:]+|domain:\S+|allAuthenticatedUsers|allUsers"
)
SPECIAL_GROUPS = ("projectOwners", "projectWriters", "projectReaders", "allAuthenticatedUsers")
REFERENCES = {
    "view": ("projectId", "datasetId", "tableId"),
    "routine": ("projectId", "datasetId", "routineId"),
    "dataset": ("projectId", "datasetId"),
}
TARGET_TYPES = (["VIEWS"], ["ROUTINES"], ["VIEWS", "ROUTINES"], ["ROUTINES", "VIEWS"])
MASKS = (
    "SHA256",
    "ALWAYS_NULL",
    "DEFAULT_MASKING_VALUE",
    "LAST_FOUR_CHARACTERS",
    "FIRST_FOUR_CHARACTERS",
    "EMAIL_MASK",
    "DATE_YEAR_MASK",
)
"""Those that a policy tag can have; RANDOM_HASH is for data policies that are bound to columns.
https://cloud.google.com/bigquery/docs/column-data-masking-intro#masking_options"""


class Sort(Enum):
    """Sorts of faults: each is a rule of the lint."""

    UNREADABLE = "unreadable"
    UNKNOWN_KEY = "unknown key"
    SHAPE = "shape"
    DUPLICATE = "duplicate"
    DUPLICATE_GROUP = "duplicate group"
    UNKNOWN_GROUP = "unknown group"


@dataclass(frozen=True)
class Fault:
    """One thing in a file that cannot be read as meant. message: without a full stop. suggestion: the way out."""

    sort: Sort
    place: Place
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        """One sentence with file, line and entry."""
        entry = f", entry {self.place.path[0] + 1}" if self.place.path and isinstance(self.place.path[0], int) else ""
        line = f":{self.place.line}" if self.place.text else ""
        end = f": {self.suggestion}" if self.suggestion else "."
        return f"{self.place.file}{line}{entry}: {self.message}{end}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` when something known is close, else nothing."""
    close = difflib.get_close_matches(word, list(known), 1)
    return f"did you mean {close[0]!r}?" if close else ""


def entry(item: Any, place: Place, kinds: tuple[str, ...]) -> Iterator[Fault]:
    """Faults of an access entry. kinds: those allowed in its file."""
    if not isinstance(item, dict):
        yield Fault(Sort.SHAPE, place, "must be a JSON object")
        return
    item = {key: value for key, value in item.items() if value is not None}
    unknown = list(keys(item, (), ("role", "condition", *MEMBER_KINDS, *RESOURCE_KINDS), place))
    yield from unknown
    present = [kind for kind in (*MEMBER_KINDS, *RESOURCE_KINDS) if kind in item]
    if len(present) != 1:
        if not unknown:
            told = ", ".join(present) or "none"
            yield Fault(Sort.SHAPE, place, f"needs exactly one of {', '.join(kinds)}; it has {told}")
        return
    kind = present[0]
    if kind not in kinds:
        folder = "authorized_views" if kind in RESOURCE_KINDS else "datasets"
        yield Fault(Sort.SHAPE, place / kind, f"an entry with {kind} belongs in iam/{folder}/")
        return
    if kind in RESOURCE_KINDS:
        if "role" in item:
            yield Fault(
                Sort.SHAPE, place / "role", f"an authorized {kind} has no role: it may only read", "remove the role."
            )
        yield from _reference(item[kind], kind, place / kind)
    else:
        yield from _member(item, kind, place)
    if "condition" in item:
        yield from _condition(item["condition"], place / "condition")


def _member(item: Json, kind: str, place: Place) -> Iterator[Fault]:
    role, member = item.get("role"), item[kind]
    if not isinstance(role, str) or not (role in BASIC_ROLES or ROLE.fullmatch(role)):
        hint = did_you_mean(role.upper(), BASIC_ROLES) if isinstance(role, str) else ""
        yield Fault(
            Sort.SHAPE,
            place / "role" if "role" in item else place,
            f"role must be READER, WRITER, OWNER or roles/...; it is {json.dumps(role)}",
            hint,
        )
    here = place / kind
    if not isinstance(member, str) or not member:
        yield Fault(Sort.SHAPE, here, f"{kind} must be a text")
    elif kind in ("userByEmail", "groupByEmail") and not EMAIL.fullmatch(member) and not member.startswith("deleted:"):
        yield Fault(Sort.SHAPE, here, f"{kind} must be an e-mail address; it is {json.dumps(member)}")
    elif kind == "specialGroup" and member not in SPECIAL_GROUPS:
        told = f"specialGroup must be one of {', '.join(SPECIAL_GROUPS)}; it is {json.dumps(member)}"
        yield Fault(Sort.SHAPE, here, told, did_you_mean(member, SPECIAL_GROUPS))


def _reference(reference: Any, kind: str, place: Place) -> Iterator[Fault]:
    if not isinstance(reference, dict):
        yield Fault(Sort.SHAPE, place, f"{kind} must be an object")
        return
    if kind == "dataset":
        faults = list(keys(reference, ("dataset", "targetTypes"), (), place))
        yield from faults
        if faults:
            return
        if reference["targetTypes"] not in TARGET_TYPES:
            yield Fault(Sort.SHAPE, place / "targetTypes", "targetTypes must list VIEWS, ROUTINES or both")
        reference, place = reference["dataset"], place / "dataset"
    yield from keys(reference, REFERENCES[kind], (), place)
    for key, value in reference.items() if isinstance(reference, dict) else ():
        if not isinstance(value, str) or not value:
            yield Fault(Sort.SHAPE, place / key, f"{kind}.{key} must be a text")


def _condition(condition: Any, place: Place) -> Iterator[Fault]:
    if not isinstance(condition, dict):
        yield Fault(Sort.SHAPE, place, "condition must be an object with an expression")
        return
    for fault in keys(condition, ("expression",), ("title", "description", "location"), place):
        yield Fault(fault.sort, fault.place, f"condition: {fault.message}", fault.suggestion)
    for key, value in condition.items():
        if not isinstance(value, str):
            yield Fault(Sort.SHAPE, place / key, f"condition.{key} must be a text")


def group(item: Any, place: Place) -> Iterator[Fault]:
    """Faults of an entry of groups.json."""
    faults = list(keys(item, ("group", "kind", "purpose", "owner"), ("parents", "members"), place))
    yield from faults
    if faults:
        return
    for key in ("kind", "purpose"):
        if not isinstance(item[key], str) or not item[key]:
            yield Fault(Sort.SHAPE, place / key, f"{key} must be a text")
    for key in ("parents", "members"):
        if not isinstance(item.get(key, []), list):
            yield Fault(Sort.SHAPE, place / key, f"{key} must be a list of e-mail addresses")
            return
    addresses = [(place / "group", item["group"]), (place / "owner", item["owner"])]
    for key in ("parents", "members"):
        addresses += [(place / key / number, address) for number, address in enumerate(item.get(key, []))]
    for where, address in addresses:
        if not isinstance(address, str) or not EMAIL.fullmatch(address):
            yield Fault(Sort.SHAPE, where, f"{json.dumps(address)} is no e-mail address")


def principal(item: Any, place: Place) -> Iterator[Fault]:
    """Faults of an entry of principals.json."""
    faults = list(keys(item, ("email", "purpose", "active"), (), place))
    yield from faults
    if faults:
        return
    if not isinstance(item["email"], str) or not item["email"].endswith("gserviceaccount.com"):
        yield Fault(
            Sort.SHAPE, place / "email", f"{item['email']} is no service account", "people come by groups only."
        )
    if not isinstance(item["purpose"], str):
        yield Fault(Sort.SHAPE, place / "purpose", "purpose must be a text")
    if not isinstance(item["active"], bool):
        yield Fault(Sort.SHAPE, place / "active", "active must be true or false")


def row_policy(item: Any, place: Place, dataset: str, project: str) -> Iterator[Fault]:
    """Faults of a row access policy in the file of `dataset`."""
    faults = list(keys(item, ("rowAccessPolicyReference", "filterPredicate", "grantees"), (), place))
    yield from faults
    if faults:
        return
    reference, where = item["rowAccessPolicyReference"], place / "rowAccessPolicyReference"
    faults = list(keys(reference, ("projectId", "datasetId", "tableId", "policyId"), (), where))
    yield from faults
    if faults:
        return
    for key, wanted in (("projectId", project), ("datasetId", dataset)):
        if reference[key] != wanted:
            yield Fault(Sort.SHAPE, where / key, f"{key} must be {wanted}: the file is named for it")
    for key in ("tableId", "policyId"):
        if not isinstance(reference[key], str) or not reference[key]:
            yield Fault(Sort.SHAPE, where / key, f"{key} must be a text")
    if not isinstance(item["filterPredicate"], str) or not item["filterPredicate"].strip():
        yield Fault(Sort.SHAPE, place / "filterPredicate", "filterPredicate must be a GoogleSQL condition")
    yield from members(item["grantees"], place / "grantees")


def policy_tag(item: Any, place: Place) -> Iterator[Fault]:
    """Faults of an entry of policy_tags.json."""
    faults = list(keys(item, ("policyTag", "description", "readers"), ("masked",), place))
    yield from faults
    if faults:
        return
    for key in ("policyTag", "description"):
        if not isinstance(item[key], str) or not item[key]:
            yield Fault(Sort.SHAPE, place / key, f"{key} must be a text")
    yield from members(item["readers"], place / "readers")
    masked = item.get("masked", [])
    if not isinstance(masked, list):
        yield Fault(Sort.SHAPE, place / "masked", "masked must be a list")
        return
    for number, rule in enumerate(masked):
        where = place / "masked" / number
        faults = list(keys(rule, ("predefinedExpression", "readers"), (), where))
        yield from faults
        if faults:
            continue
        if rule["predefinedExpression"] not in MASKS:
            told = f"predefinedExpression must be one of {', '.join(MASKS)}"
            yield Fault(
                Sort.SHAPE, where / "predefinedExpression", told, did_you_mean(str(rule["predefinedExpression"]), MASKS)
            )
        yield from members(rule["readers"], where / "readers")
    yield from _masked_twice(masked, place / "masked")


def _masked_twice(rules: list[Any], place: Place) -> Iterator[Fault]:
    """Which of two masks counts for somebody is BigQuery's choice: here it is stated."""
    seen: dict[str, str] = {}
    for number, rule in enumerate(rules):
        readers = rule.get("readers") if isinstance(rule, dict) else None
        for position, member in enumerate(readers if isinstance(readers, list) else ()):
            known = seen.setdefault(str(member).lower(), str(rule.get("predefinedExpression")))
            if known != str(rule.get("predefinedExpression")):
                told = f"{member} reads the tag through {known} already"
                yield Fault(Sort.SHAPE, place / number / "readers" / position, told)


def members(value: Any, place: Place) -> Iterator[Fault]:
    """Faults of a list of IAM members, `group:analysts@example.com`."""
    if not isinstance(value, list):
        yield Fault(Sort.SHAPE, place, "must be a list of IAM members, e.g. group:analysts@example.com")
        return
    for number, member in enumerate(value):
        if not isinstance(member, str) or not MEMBER.fullmatch(member):
            told = f"{json.dumps(member)} is no IAM member, e.g. group:analysts@example.com"
            yield Fault(Sort.SHAPE, place / number, told)


def keys(item: Any, required: tuple[str, ...], optional: tuple[str, ...], place: Place) -> Iterator[Fault]:
    """Faults of an object's keys."""
    if not isinstance(item, dict):
        yield Fault(Sort.SHAPE, place, "must be a JSON object")
        return
    known = (*required, *optional)
    for key in item:
        if key not in known:
            yield Fault(Sort.UNKNOWN_KEY, place / key, f"unknown key {key!r}", did_you_mean(key, known))
    for key in required:
        if key not in item:
            yield Fault(Sort.SHAPE, place, f"{key!r} is missing")
