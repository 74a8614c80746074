"""Rules of what can be read at all: the loader's faults, one rule a sort."""

from collections.abc import Iterator

from iam.files import Sort
from iam.lint.finding import Finding, Remove, Severity
from iam.lint.rule import Context, Rule, place


class _Fault(Rule):
    sort: Sort

    def check(self, context: Context) -> Iterator[Finding]:
        for fault in context.faults:
            if fault.sort is self.sort:
                yield self.finding(fault.place, fault.message, fault.suggestion)


class Unreadable(_Fault):
    """A file can be read: it exists, it is JSON or YAML, and no key is given twice in one object.

    Of two equal keys a parser takes the last and says nothing, so that a reviewer reads another file than the machine.
    """

    code, name, sort = "NRN001", "unreadable", Sort.UNREADABLE


class UnknownKey(_Fault):
    """Every key is known.

    A misspelled key is ignored elsewhere, and a condition that nobody reads is no condition (bigquery-etl PR#8136).
    """

    code, name, sort = "NRN002", "unknown-key", Sort.UNKNOWN_KEY


class Shape(_Fault):
    """An entry has the shape of BigQuery's access entries, a row access policy that of BigQuery's.

    https://cloud.google.com/bigquery/docs/reference/rest/v2/datasets#Access
    """

    code, name, sort = "NRN003", "shape", Sort.SHAPE


class DuplicateEntry(_Fault):
    """No entry is said twice, also not in another spelling.

    Who takes one of the two away believes that access has ended. `--fix` removes the later one.
    """

    code, name, sort = "NRN004", "duplicate-entry", Sort.DUPLICATE
    fixes = True

    def check(self, context: Context) -> Iterator[Finding]:
        for fault in context.faults:
            if fault.sort is self.sort:
                yield self.finding(fault.place, fault.message, fault.suggestion, Remove(fault.place))


class DuplicateGroup(_Fault):
    """A group is listed once in groups.json."""

    code, name, sort = "NRN005", "duplicate-group", Sort.DUPLICATE_GROUP


class DeletedMember(Rule):
    """No entry names a member that was deleted.

    BigQuery shows such a member as `deleted:...?uid=`, and refuses every list that holds one
    (terraform-provider-google#7896). It grants nothing: apply leaves it out, `--fix` removes it.
    """

    code, name, severity = "NRN006", "deleted-member", Severity.WARNING
    fixes = True

    def check(self, context: Context) -> Iterator[Finding]:
        for _, entry in context.grants():
            if entry.deleted:
                yield self.finding(
                    place(entry), f"{entry.subject} was deleted", "remove the entry", Remove(place(entry))
                )
