"""The lint of the access files: `lint(project)` gives every finding, `fix(project, findings)` mends what is safe."""

from iam.lint.finding import Append, Finding, Fix, Remove, Severity, Spot
from iam.lint.fix import fix
from iam.lint.rule import Context, Rule
from iam.lint.rules import RULES
from iam.lint.run import lint

__all__ = [
    "RULES",
    "Append",
    "Context",
    "Finding",
    "Fix",
    "Remove",
    "Rule",
    "Severity",
    "Spot",
    "fix",
    "lint",
]
