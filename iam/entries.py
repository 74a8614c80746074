"""One entry of a dataset's access list, in BigQuery's own shape, made comparable without losing what is not known here.

BigQuery answers with READER for roles/bigquery.dataViewer, so a plan that compares text shows differences for ever
(terraform-provider-google#7486); and a client that models only the kinds it knows drops conditions
(python-bigquery#2217).
Shape: https://cloud.google.com/bigquery/docs/reference/rest/v2/datasets#Access
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from iam.positions import Place

Json = dict[str, Any]

MEMBER_KINDS = ("userByEmail", "groupByEmail", "domain", "specialGroup", "iamMember")
"""Entries of these kinds carry a role."""
RESOURCE_KINDS = ("view", "dataset", "routine")
"""Entries of these kinds authorize a resource to read the dataset; they carry no role."""

BASIC_ROLES = {
    "READER": "roles/bigquery.dataViewer",
    "WRITER": "roles/bigquery.dataEditor",
    "OWNER": "roles/bigquery.dataOwner",
}
"""basic role -> the predefined role that it equals"""
_SHORT = {long: short for short, long in BASIC_ROLES.items()}

_IAM_MEMBERS = {"user": "userByEmail", "serviceAccount": "userByEmail", "group": "groupByEmail", "domain": "domain"}
"""prefix of an iamMember -> the kind that BigQuery stores it as"""


@dataclass(frozen=True)
class Entry:
    """An access entry. Two are equal when BigQuery treats them alike: spelling of roles and case of e-mails do not
    count.

    given: the JSON object as it was read; keys that are not known here stay in it and count in the comparison.
    place: where it stands, for an entry of a file; does not count in the comparison.
    """

    given: Json
    place: Place | None = field(default=None, repr=False)

    @cached_property
    def kind(self) -> str:
        """The one of the MEMBER_KINDS or RESOURCE_KINDS that the entry has, after canonicalization; else `unknown`."""
        return next((kind for kind in (*MEMBER_KINDS, *RESOURCE_KINDS) if kind in self.canonical), "unknown")

    @property
    def subject(self) -> Any:
        """E-mail, domain or special group (str), or the reference (dict) of a view, dataset or routine."""
        return self.canonical.get(self.kind)

    @property
    def role(self) -> str:
        """The predefined or custom role in full, `roles/...`; empty for an authorized resource."""
        return str(self.canonical.get("role") or "")

    @property
    def condition(self) -> Json | None:
        condition: Json | None = self.canonical.get("condition")
        return condition

    @property
    def authorizes(self) -> bool:
        """Whether it authorizes a view, dataset or routine instead of granting a role."""
        return self.kind in RESOURCE_KINDS

    @property
    def written_kind(self) -> str:
        """The key that says to whom or what, as it stands in the file."""
        return next((kind for kind in (*MEMBER_KINDS, *RESOURCE_KINDS) if kind in self.given), "")

    @property
    def deleted(self) -> bool:
        """Whether its member was deleted: `deleted:serviceAccount:a@b.com?uid=1`. It grants nothing."""
        return isinstance(self.subject, str) and self.subject.startswith("deleted:")

    @cached_property
    def canonical(self) -> Json:
        entry = {key: value for key, value in self.given.items() if value is not None}
        member = entry.get("iamMember")
        if isinstance(member, str):
            prefix, _, rest = member.partition(":")
            if rest and prefix in _IAM_MEMBERS:
                del entry["iamMember"]
                entry[_IAM_MEMBERS[prefix]] = rest
            elif member == "allAuthenticatedUsers":
                del entry["iamMember"]
                entry["specialGroup"] = member
        for kind in ("userByEmail", "groupByEmail", "domain"):
            if isinstance(entry.get(kind), str):
                entry[kind] = entry[kind].lower()
        if "role" in entry:
            entry["role"] = BASIC_ROLES.get(entry["role"], entry["role"])
        if isinstance(entry.get("dataset"), dict) and isinstance(entry["dataset"].get("targetTypes"), list):
            entry["dataset"] = {**entry["dataset"], "targetTypes": sorted(entry["dataset"]["targetTypes"])}
        return entry

    @cached_property
    def key(self) -> str:
        """Equal for two entries that BigQuery treats alike."""
        return json.dumps(self.canonical, sort_keys=True)

    @property
    def resource(self) -> Json:
        """The entry as it is sent: canonical, but with the basic roles that BigQuery itself answers with."""
        return {**self.canonical, "role": _SHORT.get(self.role, self.role)} if self.role else dict(self.canonical)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        """For people: `READER group analysts@example.com`, `view p.warehouse__app.events`."""
        name = {"userByEmail": "user", "groupByEmail": "group", "specialGroup": "special group", "iamMember": "member"}
        subject = self.subject
        if isinstance(subject, Mapping):
            inner = subject.get("dataset", subject)
            subject = ".".join(str(inner[k]) for k in ("projectId", "datasetId", "tableId", "routineId") if k in inner)
        text = f"{_SHORT.get(self.role, self.role)} {name.get(self.kind, self.kind)} {subject}".strip()
        return f"{text} if {self.condition.get('expression')}" if self.condition else text


def entries(access: list[Json]) -> tuple[Entry, ...]:
    """The entries of a dataset resource's `access`, without repetitions, in order."""
    return tuple(dict.fromkeys(Entry(entry) for entry in access))


def said(predicate: str, grantees: Iterable[str]) -> tuple[str, frozenset[str]]:
    """A row access policy, comparable: white space and the case of e-mails do not count."""
    return " ".join(predicate.split()), frozenset(grantee.lower() for grantee in grantees)
