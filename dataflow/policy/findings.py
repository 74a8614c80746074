"""What is wrong in a policy: file, line, entry, sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

from dataflow.errors import NorenError


@dataclass(frozen=True)
class Finding:
    """file: its name. line: counted from 1, 0 where it is not known. where: the entry, e.g. `classifications.public`.

    sentence: what is wrong and the way out.
    """

    file: str
    line: int
    where: str
    sentence: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.where}: {self.sentence}"


class PolicyError(NorenError):
    """Everything that is wrong in a policy, a line each, in the file's order."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = sorted(findings, key=lambda finding: (finding.file, finding.line))
        super().__init__("\n".join(map(str, self.findings)))


def refuse(findings: Sequence[Finding]) -> None:
    """Raises PolicyError when there are findings."""
    if findings:
        raise PolicyError(findings)
