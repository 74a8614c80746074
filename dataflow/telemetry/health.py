"""Health: named questions, each answered with nothing when all is well or a sentence that says what is not.

`/healthz` is for whoever restarts a process that is stuck, `/readyz` for whoever sends it work or alerts on it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

Check = Callable[[], str | None]
"""None when all is well, else what is not: our own words, never a value and never an error's text."""


@dataclass
class Health:
    """live: a failure is cured by nothing but a restart. ready: also what may pass by itself."""

    live: dict[str, Check] = field(default_factory=dict)
    ready: dict[str, Check] = field(default_factory=dict)

    def healthz(self) -> tuple[bool, dict[str, str]]:
        """(whether all is well, answer of each check)."""
        return _ask(self.live)

    def readyz(self) -> tuple[bool, dict[str, str]]:
        return _ask(self.live | self.ready)


def _ask(checks: dict[str, Check]) -> tuple[bool, dict[str, str]]:
    answers = {}
    for name, check in checks.items():
        try:
            answers[name] = check() or "ok"
        except Exception as error:  # noqa: BLE001  (a check that fails is an answer; its text may quote anything)
            answers[name] = f"failed with {type(error).__name__}"
    return all(answer == "ok" for answer in answers.values()), answers
