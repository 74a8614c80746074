"""What a pipeline can change to while it runs: other rules, never another shape of what its readers have already."""

from collections.abc import Iterator

from dataflow.contract import Contract
from dataflow.errors import NorenError
from dataflow.policy import Policy
from dataflow.policy.diff import Rules
from dataflow.schemas import Column, tables


def check_transition(stream: str, old: Rules, new: Rules) -> None:
    """Check that a running stream can change from the old rules to the new ones between two batches.

    Raises NorenError naming everything that stands against it: an output column's type; a required column that comes or
    goes; another dataset; another identity or key purpose, since the events' tokens would differ and a duplicate of an
    event before the change would not be known; a version that stands for other rules than before.
    """
    if stream not in new.contracts:
        raise NorenError(f"{stream}: it has no contract for this stream.")
    before, after = old.contracts[stream], new.contracts[stream]
    reasons = [
        *_columns(before, old.policy, after, new.policy),
        *_identity(before, old.policy, after, new.policy),
        *_versions(before, old.policy, after, new.policy),
    ]
    if reasons:
        raise NorenError(f"{stream}: {'; '.join(reasons)}.")


def _columns(before: Contract, old: Policy, after: Contract, new: Policy) -> Iterator[str]:
    if before.domain != after.domain:
        yield f"its tables move from domain {before.domain} to {after.domain}"
        return
    have, want = tables(before, old), tables(after, new)
    for role, table in want.items():
        known, fresh = dict(_flat(have[role].columns)), dict(_flat(table.columns))
        for path, column in fresh.items():
            if path not in known:
                if column.required and "." not in path:
                    yield f"{table.id}.{path}: a required column cannot be added to a table"
                continue
            if _kind(known[path]) != _kind(column):
                yield f"{table.id}.{path}: {_kind(known[path])} becomes {_kind(column)}"
            if column.required != known[path].required:
                mode = "REQUIRED" if column.required else "NULLABLE"
                yield f"{table.id}.{path}: the live column cannot become {mode} while it is written to"
        for path, column in known.items():
            if path not in fresh and column.required:
                yield f"{table.id}.{path}: a required column cannot go"


def _identity(before: Contract, old: Policy, after: Contract, new: Policy) -> Iterator[str]:
    if before.identity != after.identity:
        yield f"the event's identity changes from {', '.join(before.identity)} to {', '.join(after.identity)}"
    if old.purpose(before) != new.purpose(after):
        yield f"the purpose of its keys changes from {old.purpose(before)} to {new.purpose(after)}"


def _versions(before: Contract, old: Policy, after: Contract, new: Policy) -> Iterator[str]:
    if old.version == new.version and old != new:
        yield f"policy {new.version} stands for other rules already"
    if before.version == after.version and before != after:
        yield f"contract {after.version} stands for another contract already"


def _flat(columns: tuple[Column, ...]) -> Iterator[tuple[str, Column]]:
    """(dotted path, column) of every column at any depth."""
    for column in columns:
        yield column.path, column
        yield from _flat(column.children)


def _kind(column: Column) -> str:
    return f"ARRAY<{column.type}>" if column.repeated else str(column.type)
