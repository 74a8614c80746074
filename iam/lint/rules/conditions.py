"""Rules of conditions, and of grants for a time."""

import datetime
from collections.abc import Iterator

from iam.engine.conditions import UnknownConditionError, expiry
from iam.entries import Entry
from iam.lint.finding import Finding, Remove, Severity
from iam.lint.rule import Context, Rule, place
from iam.temporary import TITLE, note


class _Bounded(Rule):
    def bounds(self, context: Context) -> Iterator[tuple[Entry, datetime.datetime]]:
        """(entry, end) of every entry that ends."""
        for entry in _conditional(context):
            try:
                until = expiry(str((entry.condition or {}).get("expression", "")))
            except UnknownConditionError:
                continue
            if until is not None:
                yield entry, until


class ExpiredCondition(_Bounded):
    """No entry has expired.

    It grants nothing any more, and reads as if it did. `--fix` removes it.
    """

    code, name, severity = "NRN040", "expired-condition", Severity.WARNING
    fixes = True

    def check(self, context: Context) -> Iterator[Finding]:
        for entry, until in self.bounds(context):
            if until <= context.now:
                told = f"{entry} ended on {until:%Y-%m-%d %H:%M %Z}"
                yield self.finding(place(entry) / "condition", told, "remove the entry", Remove(place(entry)))


class FarFutureCondition(_Bounded):
    """A grant for a time ends within temporary_days (iam/lint.yaml, 90 without it).

    One that ends in ten years is a grant for good that nobody reviews as such.
    """

    code, name = "NRN041", "far-future-condition"

    def check(self, context: Context) -> Iterator[Finding]:
        days = context.settings.temporary_days
        for entry, until in self.bounds(context):
            if until > context.now + datetime.timedelta(days=days):
                told = f"it ends on {until:%Y-%m-%d}, more than {days} days from now"
                hint = "end it earlier, or grant it for good"
                yield self.finding(place(entry) / "condition", told, hint)


class UnknownCondition(Rule):
    """A condition is one that this tool understands.

    One that it does not understand counts here as not fulfilled, and may be fulfilled in BigQuery.
    """

    code, name = "NRN042", "unknown-condition"

    def check(self, context: Context) -> Iterator[Finding]:
        for entry in _conditional(context):
            try:
                expiry(str((entry.condition or {}).get("expression", "")))
            except UnknownConditionError as error:
                told = f"the condition is not understood: {error}"
                hint = 'e.g. request.time < timestamp("2027-01-31T00:00:00Z")'
                yield self.finding(place(entry) / "condition" / "expression", told, hint)


class UnapprovedTemporaryGrant(Rule):
    """A grant for a time says why, who asked, and who else approved it, as `noren acl grant-temporary` writes it."""

    code, name = "NRN043", "unapproved-temporary-grant"

    def check(self, context: Context) -> Iterator[Finding]:
        for entry in _conditional(context):
            condition = entry.condition or {}
            if condition.get("title") != TITLE:
                continue
            found = note(str(condition.get("description", "")))
            where = place(entry) / "condition" / "description"
            hint = "write it with `noren acl grant-temporary`"
            if found is None:
                yield self.finding(where, "the temporary grant lacks its reason, its asker or its approver", hint)
            elif found.asked_by.lower() == found.approved_by.lower():
                yield self.finding(where, f"{found.asked_by} approved their own temporary grant", hint)
            elif found.approved_by.lower().partition("@")[2] not in context.ours:
                told = f"{found.approved_by}, who approved it, is outside of {', '.join(sorted(context.ours))}"
                yield self.finding(where, told, "have it approved by somebody of ours")


def _conditional(context: Context) -> Iterator[Entry]:
    for _, entry in context.grants():
        if entry.condition is not None:
            yield entry
    for entries in context.files.authorized.values():
        yield from (entry for entry in entries if entry.condition is not None)
