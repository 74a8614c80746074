"""What a rule is, and what it looks at."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import ClassVar

from iam.engine import Table, TableName
from iam.engine.rights import RIGHTS, Right
from iam.entries import Entry
from iam.files import AccessFiles, Fault
from iam.lint.finding import Finding, Fix, Severity, Spot
from iam.lint.settings import Settings
from iam.positions import Place


@dataclass(frozen=True)
class Context:
    """files: what could be read; faults: the rest. relations: what dbt builds, None where that is not known. texts:
    path -> content of the dbt and Terraform files that may speak of access. now: the clock for expiries."""

    files: AccessFiles
    faults: tuple[Fault, ...] = ()
    relations: Mapping[TableName, Table] | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @cached_property
    def ours(self) -> frozenset[str]:
        """The company's own domains: of iam/lint.yaml; without it those of the owners in groups.json."""
        return self.settings.ours(self.files.groups)

    def grants(self) -> Iterator[tuple[str | None, Entry]]:
        """(dataset, entry) of every grant to somebody; None: on the whole project."""
        for dataset, entries in self.files.datasets.items():
            for entry in entries:
                yield dataset, entry
        for entry in self.files.project_grants:
            yield None, entry

    @cached_property
    def members(self) -> tuple[tuple[str, str, Place], ...]:
        """(kind, e-mail or name, place) of everybody who is named in a grant, a row access policy or a policy tag."""
        return tuple(self._members())

    def _members(self) -> Iterator[tuple[str, str, Place]]:
        for _, entry in self.grants():
            if isinstance(entry.subject, str) and not entry.deleted:
                kind, subject = entry.kind, entry.subject
                if kind == "iamMember":
                    kind, _, subject = subject.partition(":") if ":" in subject else ("special", "", subject)
                yield KINDS.get(kind, kind), subject, place(entry) / entry.written_kind
        for policy in self.files.row_policies:
            for number, member in enumerate(policy.grantees):
                if policy.place is not None:
                    yield *_member(member), policy.place / "grantees" / number
        for tag in self.files.policy_tags.values():
            for member in (*tag.readers, *tag.masked):
                if tag.place is not None:
                    yield *_member(member), tag.place

    @cached_property
    def readers(self) -> Mapping[str, frozenset[str]]:
        """dataset -> e-mails that may read it by its own entries: groups, people and service identities."""
        return {
            dataset: frozenset(str(e.subject) for e in entries if Right.READ in RIGHTS.get(e.role, ()))
            for dataset, entries in self.files.datasets.items()
        }


KINDS = {
    "userByEmail": "user",
    "groupByEmail": "group",
    "domain": "domain",
    "specialGroup": "special",
    "serviceAccount": "user",
}


def _member(member: str) -> tuple[str, str]:
    prefix, colon, rest = member.partition(":")
    return (KINDS.get(prefix, prefix), rest) if colon else ("special", member)


def place(entry: Entry) -> Place:
    """Where an entry of a file stands."""
    return entry.place or Place("iam")


class Rule:
    """One rule. Its docstring is its documentation: a first line, then why.

    code: for ever. name: how people call it. fixes: whether `--fix` mends what it finds. Subclasses are collected by
    `iam.lint.rules`.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity] = Severity.ERROR
    fixes: ClassVar[bool] = False

    def check(self, context: Context) -> Iterator[Finding]:
        """What is wrong."""
        raise NotImplementedError

    def finding(self, where: Place | Spot, message: str, suggestion: str = "", fix: Fix | None = None) -> Finding:
        return Finding(self.code, self.name, self.severity, Spot.of(where), message, suggestion, fix)

    @classmethod
    def summary(cls) -> str:
        """The docstring's first line."""
        return (cls.__doc__ or "").strip().splitlines()[0]

    @classmethod
    def documentation(cls) -> str:
        """The docstring, without its indentation."""
        return "\n".join(line.strip() for line in (cls.__doc__ or "").strip().splitlines())
