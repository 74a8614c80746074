"""Versions of contracts: semantic versioning (https://semver.org/), without pre-releases and build metadata."""

import re
from dataclasses import dataclass
from enum import IntEnum

from dataflow.errors import NorenError


class Bump(IntEnum):
    """Which part of a version a change demands."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3


@dataclass(frozen=True, order=True)
class Version:
    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> "Version":
        """`1.2.3` as a version. Raises NorenError when it is none."""
        found = re.fullmatch(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})", text, re.ASCII)
        if found is None:
            raise NorenError(f"is {text}; a version is three numbers such as 1.0.0 (semver.org).")
        return cls(*map(int, found.groups()))

    def bumped(self, bump: Bump) -> "Version":
        """The next version by a bump. Before 1.0.0 a breaking change is a minor one (semver.org, point 4)."""
        if bump is Bump.MAJOR and self.major == 0:
            bump = Bump.MINOR
        match bump:
            case Bump.MAJOR:
                return Version(self.major + 1, 0, 0)
            case Bump.MINOR:
                return Version(self.major, self.minor + 1, 0)
            case Bump.PATCH:
                return Version(self.major, self.minor, self.patch + 1)
            case _:
                return self

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"
