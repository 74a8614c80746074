"""All rules, by code."""

from iam.lint.rule import Rule
from iam.lint.rules import chains, conditions, layers, owners, people, shape

MODULES = (shape, people, layers, chains, conditions, owners)

RULES: tuple[type[Rule], ...] = tuple(
    sorted(
        (
            kind
            for module in MODULES
            for kind in vars(module).values()
            if isinstance(kind, type) and issubclass(kind, Rule) and hasattr(kind, "code")
        ),
        key=lambda rule: rule.code,
    )
)
"""Each has a code of its own."""


def table() -> str:
    """The rules as a Markdown table, as the README has it."""
    lines = ["| code | name | what must hold | `--fix` |", "|---|---|---|---|"]
    for rule in RULES:
        fixes = "yes" if rule.fixes else ""
        lines.append(f"| {rule.code} | {rule.name} | {rule.summary()} | {fixes} |")
    return "\n".join(lines) + "\n"
