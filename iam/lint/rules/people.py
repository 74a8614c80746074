"""Rules of who is named: groups that are listed, service identities that are declared, nobody else."""

from collections.abc import Iterator

from iam.files import Sort
from iam.files.shape import did_you_mean
from iam.lint.finding import Finding, Severity
from iam.lint.rule import Context, Rule

SERVICE = ("gserviceaccount.com",)
FREE_MAIL = frozenset({"gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "yahoo.com", "icloud.com"})
PUBLIC = ("allUsers", "allAuthenticatedUsers")
PROJECT_WIDE = {"projectOwners": "roles/owner", "projectWriters": "roles/editor", "projectReaders": "roles/viewer"}


def is_service(email: str) -> bool:
    return email.endswith(SERVICE)


class UnknownGroup(Rule):
    """Every group that is granted something is listed in groups.json.

    A group that does not exist makes BigQuery refuse the whole list, and one that nobody listed has no owner whom to
    ask who is in it.
    """

    code, name = "NRN010", "unknown-group"

    def check(self, context: Context) -> Iterator[Finding]:
        for fault in context.faults:
            if fault.sort is Sort.UNKNOWN_GROUP:
                yield self.finding(fault.place, fault.message, fault.suggestion)
        known = [group.email for group in context.files.groups]
        for kind, subject, where in context.members:
            if kind == "group" and subject not in context.files.groups:
                hint = did_you_mean(subject, known) or "list it in iam/groups.json"
                yield self.finding(where, f"group {subject} is not in iam/groups.json", hint)


class Person(Rule):
    """People come by groups only.

    A grant to one person outlives the reason for it: nobody looks for it when that person changes teams.
    """

    code, name = "NRN011", "person"

    def check(self, context: Context) -> Iterator[Finding]:
        for kind, subject, where in context.members:
            if kind == "user" and not is_service(subject):
                groups = sorted(context.files.groups.of(subject))
                hint = f"grant a group, e.g. one that this person is in: {', '.join(groups)}" if groups else ""
                yield self.finding(where, f"{subject} is a person", hint or "grant a group that this person is in")


class UndeclaredServiceIdentity(Rule):
    """A service identity is declared in principals.json, and in use there, before it is granted anything."""

    code, name = "NRN012", "undeclared-service-identity"

    def check(self, context: Context) -> Iterator[Finding]:
        declared = {principal.email: principal for principal in context.files.principals}
        for kind, subject, where in context.members:
            if kind != "user" or not is_service(subject):
                continue
            if subject not in declared:
                hint = did_you_mean(subject, declared) or "declare it with its purpose"
                yield self.finding(where, f"{subject} is not in iam/principals.json", hint)
            elif not declared[subject].active:
                told = f"{subject} is a reserved slot in iam/principals.json and not in use"
                yield self.finding(where, told, "set it active, or remove the entry")


class PublicPrincipal(Rule):
    """Nothing is granted to everybody on the internet: allUsers, allAuthenticatedUsers, the domain of a mail service.

    allAuthenticatedUsers is everybody with a Google account, not everybody of the company.
    """

    code, name = "NRN013", "public-principal"

    def check(self, context: Context) -> Iterator[Finding]:
        for kind, subject, where in context.members:
            if subject in PUBLIC or (kind == "domain" and subject in FREE_MAIL):
                yield self.finding(where, f"{subject} is everybody on the internet", "grant a group")


class ProjectWideGroup(Rule):
    """No entry names projectOwners, projectWriters or projectReaders.

    Who these are is decided by basic roles on the project, in nobody's review here. BigQuery puts them on a dataset
    that is made without an access list.
    """

    code, name = "NRN014", "project-wide-group"

    def check(self, context: Context) -> Iterator[Finding]:
        for kind, subject, where in context.members:
            if kind == "special" and subject in PROJECT_WIDE:
                told = f"{subject} is everybody with {PROJECT_WIDE[subject]} on the project"
                yield self.finding(where, told, "grant a group")


class ExternalDomain(Rule):
    """Nobody outside of the company's own domains is granted anything, and no group of ours has such a member.

    The domains stand in iam/lint.yaml; without it they are those of the owners in groups.json.
    """

    code, name = "NRN015", "external-domain"

    def check(self, context: Context) -> Iterator[Finding]:
        ours = context.ours
        told = f"is outside of {', '.join(sorted(ours)) or 'every domain that is known'}"
        for kind, subject, where in context.members:
            domain = subject if kind == "domain" else subject.partition("@")[2]
            outside = domain and domain not in ours and not is_service(domain)
            if kind in ("user", "group", "domain") and outside and domain not in FREE_MAIL:
                yield self.finding(where, f"{subject} {told}", "add the domain to iam/lint.yaml if it is ours")
        for group in context.files.groups:
            for member in sorted({group.email, *group.members}):
                if member.partition("@")[2] not in ours and not is_service(member) and group.place is not None:
                    yield self.finding(group.place, f"{member}, of group {group.email}, {told}")


class WholeDomain(Rule):
    """No grant names a whole domain.

    It includes everybody who will ever join, and every account that a robot or a guest has there.
    """

    code, name, severity = "NRN016", "whole-domain", Severity.WARNING

    def check(self, context: Context) -> Iterator[Finding]:
        for kind, subject, where in context.members:
            if kind == "domain" and subject not in FREE_MAIL:
                yield self.finding(where, f"{subject} is everybody with an account of this domain", "grant a group")
