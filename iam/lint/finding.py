"""A finding: which rule, where, what is wrong, the way out, and the edit that mends it where that is safe."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from iam.positions import Place


class Severity(Enum):
    """What a finding does to the exit code: an error makes it 1, a warning only under `--strict`."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Remove:
    """Take an item out of the list that it stands in."""

    place: Place


@dataclass(frozen=True)
class Append:
    """Add an item to the list of a file; the file is made when it is missing."""

    file: str
    item: dict[str, Any] = field(hash=False)


type Fix = Remove | Append


@dataclass(frozen=True)
class Spot:
    """file: relative to the project's root. line, column: from 1."""

    file: str
    line: int = 1
    column: int = 1

    @classmethod
    def of(cls, place: "Place | Spot") -> "Spot":
        return place if isinstance(place, Spot) else cls(place.file, place.line, place.column)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Finding:
    """One thing that a rule found. message, suggestion: sentences without their full stop."""

    code: str
    name: str
    severity: Severity
    spot: Spot
    message: str
    suggestion: str = ""
    fix: Fix | None = None

    def __str__(self) -> str:
        fixable = " [fixable]" * (self.fix is not None)
        return f"{self.spot}: {self.code} {self.name}: {self.sentence}{fixable}"

    @property
    def sentence(self) -> str:
        """Message and suggestion."""
        way_out = self.suggestion.strip().removesuffix(".")
        if not way_out:
            return f"{self.message}."
        end = "" if way_out.endswith("?") else "."
        return f"{self.message}: {way_out}{end}"

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "rule": self.name,
            "severity": self.severity.value,
            "file": self.spot.file,
            "line": self.spot.line,
            "column": self.spot.column,
            "message": self.message,
            "suggestion": self.suggestion,
            "fixable": self.fix is not None,
        }

    @property
    def order(self) -> tuple[str, int, int, str, str]:
        return (self.spot.file, self.spot.line, self.spot.column, self.code, self.message)
