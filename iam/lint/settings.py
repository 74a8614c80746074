"""`iam/lint.yaml`: what the rules need to know of the company, and what they are told to leave alone.

domains: [example.com]        # whose people and groups are ours; without it those of the owners in groups.json
temporary_days: 90            # how long a temporary grant may last
ignore:
  - {rule: NRN011, file: iam/datasets/marts__product.json, reason: "partner, contract of May", until: 2027-01-31}
"""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataflow.errors import NorenError
from dataflow.yaml_file import read_yaml
from iam.groups import Groups
from iam.lint.finding import Finding

FILE = "iam/lint.yaml"


@dataclass(frozen=True)
class Ignore:
    """A finding that is meant. until: the last day on which it is left alone."""

    rule: str
    file: str
    reason: str
    until: datetime.date

    def covers(self, finding: Finding, today: datetime.date) -> bool:
        return finding.code == self.rule and finding.spot.file == self.file and today <= self.until


@dataclass(frozen=True)
class Settings:
    """domains: ours; empty: those of the owners in groups.json. temporary_days: how long a temporary grant may last."""

    domains: frozenset[str] = frozenset()
    temporary_days: int = 90
    ignore: tuple[Ignore, ...] = field(default=())

    def ours(self, groups: Groups) -> frozenset[str]:
        """The company's own domains."""
        return self.domains or frozenset(group.owner.partition("@")[2].lower() for group in groups)


def read_settings(path: Path) -> Settings:
    """Raises NorenError for a wrong file; one that is missing changes nothing."""
    if not path.is_file():
        return Settings()
    content = read_yaml(path, FILE) or {}
    if not isinstance(content, dict):
        raise NorenError(f"{FILE}: must be a mapping.")
    if unknown := sorted(content.keys() - {"domains", "temporary_days", "ignore"}):
        raise NorenError(f"{FILE}: unknown key {unknown[0]!r}.")
    domains, days = content.get("domains", []), content.get("temporary_days", 90)
    if not isinstance(domains, list) or not all(isinstance(domain, str) for domain in domains):
        raise NorenError(f"{FILE}: domains must be a list, e.g. [example.com].")
    if not isinstance(days, int) or isinstance(days, bool) or days <= 0:
        raise NorenError(f"{FILE}: temporary_days must be a number of days.")
    ignored = tuple(_ignore(item) for item in content.get("ignore") or ())
    return Settings(frozenset(domain.lower() for domain in domains), days, ignored)


def _ignore(item: Any) -> Ignore:
    keys = {"rule", "file", "reason", "until"}
    if not isinstance(item, Mapping) or item.keys() != keys:
        raise NorenError(f"{FILE}: an item of ignore has {', '.join(sorted(keys))}, and nothing else.")
    if not re.fullmatch(r"NRN\d{3}", str(item["rule"])):
        raise NorenError(f"{FILE}: {item['rule']!r} is no code of a rule.")
    if not isinstance(item["until"], datetime.date) or not str(item["reason"]).strip():
        raise NorenError(f"{FILE}: ignoring {item['rule']} takes a reason and a day, until: 2027-01-31.")
    return Ignore(item["rule"], str(item["file"]), str(item["reason"]), item["until"])
