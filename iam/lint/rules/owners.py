"""Rules of who writes access lists: this tool alone."""

import re
from collections.abc import Iterator

from iam.lint.finding import Finding, Spot
from iam.lint.rule import Context, Rule

GRANT_ACCESS_TO = re.compile(r"(?<![\w-])\+?grant_access_to\s*[:=(]")
RESOURCE = re.compile(
    r'resource\s+"(google_bigquery_dataset_(?:access|iam_member|iam_binding|iam_policy)|google_bigquery_dataset)"'
    r'\s+"(\w+)"\s*\{'
)
ACCESS_BLOCK = re.compile(r'^\s*(?:access\s*\{|dynamic\s+"access"\s*\{)', re.MULTILINE)
IGNORED = re.compile(r"ignore_changes\s*=\s*(?:all\b|\[[^\]]*\baccess\b)")
COMMENT = re.compile(r"^\s*(?:#|//|--).*$", re.MULTILINE)


class TwoOwners(Rule):
    """A dataset's access list has one owner: neither dbt's grant_access_to nor Terraform writes it.

    Each of two owners takes away what the other one granted (terraform-provider-google#10156, #11218), and dbt never
    revokes (dbt-bigquery#576). Terraform may make a dataset with a first owner when it ignores changes of `access`.
    """

    code, name = "NRN050", "two-owners"

    def check(self, context: Context) -> Iterator[Finding]:
        for file, text in context.texts.items():
            bare = COMMENT.sub(lambda match: " " * len(match[0]), text)
            if file.endswith(".tf"):
                yield from self._terraform(file, bare)
            else:
                for match in GRANT_ACCESS_TO.finditer(bare):
                    told = "dbt writes an access list here (grant_access_to)"
                    yield self.finding(_spot(file, bare, match.start()), told, "authorize it in iam/authorized_views/")

    def _terraform(self, file: str, text: str) -> Iterator[Finding]:
        for match in RESOURCE.finditer(text):
            kind, name = match[1], match[2]
            if kind == "google_bigquery_dataset":
                block = _block(text, match.end())
                if not ACCESS_BLOCK.search(block) or IGNORED.search(block):
                    continue
                told = f"Terraform owns the access list of {kind}.{name}"
                hint = "lifecycle { ignore_changes = [access] }"
            else:
                told, hint = f"Terraform writes an access list here ({kind}.{name})", "grant it in iam/datasets/"
            yield self.finding(_spot(file, text, match.start()), told, hint)


def _block(text: str, start: int) -> str:
    """The text from `start` to the brace that closes it."""
    depth = 1
    for at in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return text[start:at]
    return text[start:]


def _spot(file: str, text: str, at: int) -> Spot:
    return Spot(file, text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
