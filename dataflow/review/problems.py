"""A problem: what is wrong, where, and the way out."""

import difflib
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong in a contract.

    file: path relative to the project's root.
    line: from 1.
    where: path of the field, or the key of the file.
    message: what is wrong; suggestion: what to do, empty where the message says it.
    """

    file: str
    line: int
    where: str
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.where}: {self.message} {self.suggestion}".rstrip()

    def to_dict(self) -> dict[str, str | int]:
        return asdict(self)


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """`Did you mean x?` when something known is close, else all that is known."""
    known = list(known)
    close = difflib.get_close_matches(str(word).lower(), known, n=1, cutoff=0.5)
    return f"Did you mean {close[0]}?" if close else f"Use one of {', '.join(known)}."
