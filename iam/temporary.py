"""Access for a time: a condition that ends by itself, with reason, asker and a second person who approved it.

What has ended grants nothing: BigQuery evaluates the condition at every request, and so does the engine. The lint
tells that the entry can go.
"""

import datetime
import json
import re
from dataclasses import dataclass

from dataflow.errors import NorenError
from iam.entries import Json

TITLE = "temporary"
NOTE = re.compile(r"(?P<reason>.+) \(asked by (?P<asked_by>\S+), approved by (?P<approved_by>\S+)\)", re.DOTALL)
MAX_DESCRIPTION = 256
"""Characters: https://cloud.google.com/iam/docs/reference/rest/v1/Expr (IAM refuses a longer one)."""


@dataclass(frozen=True)
class Note:
    """Why a grant for a time was given. asked_by, approved_by: two people, e-mails."""

    reason: str
    asked_by: str
    approved_by: str

    def __str__(self) -> str:
        return f"{self.reason} (asked by {self.asked_by}, approved by {self.approved_by})"


def note(description: str) -> Note | None:
    """The note in a condition's description."""
    match = NOTE.fullmatch(description)
    return Note(**match.groupdict()) if match else None


def condition(until: datetime.datetime, why: Note) -> Json:
    """The condition of a grant that ends at `until`.

    Raises NorenError without a reason, when one person is both asker and approver, and for a reason that is too long.
    """
    if not why.reason.strip():
        raise NorenError("a temporary grant needs a reason: --reason 'incident 42'.")
    if why.asked_by.lower() == why.approved_by.lower():
        raise NorenError(f"{why.asked_by} cannot approve their own temporary grant: name a second person.")
    if len(str(why)) > MAX_DESCRIPTION:
        raise NorenError(f"the reason is too long: with both names it may have {MAX_DESCRIPTION} characters.")
    end = until.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"title": TITLE, "description": str(why), "expression": f'request.time < timestamp("{end}")'}


def entry(role: str, group: str, until: datetime.datetime, why: Note) -> Json:
    """The access entry of a temporary grant to a group. Raises NorenError as `condition` does."""
    return {"role": role, "groupByEmail": group, "condition": condition(until, why)}


def line(item: Json) -> str:
    """An entry as it stands in a file, on one line."""
    return json.dumps(item, ensure_ascii=False)
