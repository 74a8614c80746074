"""The current state of a stream of changes, and forgetting what was deleted.

Change rows are append-only; the state is a view over them. When a row is deleted at the source, its earlier rows are
deleted in `anonymized__*` and `raw__*`: what stays is the delete itself, which has the key (as the policy shows it) and
no other value. The key's tokens of other key epochs are made anew from the raw row of the delete.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from google.cloud import bigquery

from dataflow import names
from dataflow.contract import CHANGE, Contract, Field
from dataflow.errors import NorenError
from dataflow.keys import KeyRing
from dataflow.policy import Policy
from dataflow.schemas import anonymized_table, raw_table

MOST_KEYS = 10_000
"""Deleted keys of one statement."""

MOST_TOKENS = 50_000
"""Of one statement: a request has at most 10 MB."""

SEPARATOR = "\x1f"


def settle(client: bigquery.Client, contract: Contract, policy: Policy, keys: KeyRing) -> int:
    """Make the view, and forget; how many rows of `anonymized__*` were deleted. Repeated, it deletes nothing more.

    Raises NorenError when the policy does not keep what orders changes, or hides the key altogether.
    """
    _check(contract, policy)
    state = _State(client, contract, policy, keys)
    state.ensure_view()
    return state.forget()


def _check(contract: Contract, policy: Policy) -> None:
    columns = {column.path: column for column in contract.columns()}
    for path in (f"{CHANGE}.operation", f"{CHANGE}.sequence"):
        if path not in columns:
            raise NorenError(f"{contract.stream}.yaml: {path}: a stream of changes must declare it.")
        if policy.method(contract, columns[path]).name != "keep":
            raise NorenError(f"{contract.stream}.{path}: must have method keep: it orders the changes of a row.")
    for path in contract.key:
        if policy.method(contract, columns[path]).name not in ("token", "keep"):
            raise NorenError(
                f"{contract.stream}.{path}: must have method token or keep: it names the row that changed."
            )


class _State:
    """The tables of one stream of changes."""

    def __init__(self, client: bigquery.Client, contract: Contract, policy: Policy, keys: KeyRing) -> None:
        self._client = client
        self._contract = contract
        self._keys = keys
        self._purpose = policy.purpose(contract)
        columns = {column.path: column for column in contract.columns()}
        self._key: list[tuple[Field, bool]] = [
            (columns[path], policy.method(contract, columns[path]).name == "token") for path in contract.key
        ]
        anonymized, raw = anonymized_table(contract, policy), raw_table(contract)
        self._anonymized = f"`{client.project}.{anonymized.id}`"
        self._raw = f"`{client.project}.{raw.id}`"
        self._view = f"`{client.project}.{anonymized.dataset}.{names.current(contract.stream)}`"

    def ensure_view(self) -> None:
        """The newest change of every key, unless it is a delete. A person has a row in each key epoch that is there."""
        key = ", ".join(self._contract.key)
        self._client.query_and_wait(
            f"CREATE OR REPLACE VIEW {self._view} AS SELECT * EXCEPT (newest) FROM (SELECT *, ROW_NUMBER() OVER "  # noqa: S608
            f"(PARTITION BY {key} ORDER BY {CHANGE}.sequence DESC, receive_time DESC) AS newest "
            f"FROM {self._anonymized}) WHERE newest = 1 AND {CHANGE}.operation != 'd'"
        )

    def forget(self) -> int:
        """Delete the rows that are older than a delete of their key."""
        newest: dict[str, int] = defaultdict(int)
        for key, sequence in self._deleted():
            newest[key] = max(newest[key], sequence)
        keys = sorted(newest)
        return sum(
            self._forget(part, [newest[key] for key in part])
            for part in (keys[start : start + MOST_KEYS] for start in range(0, len(keys), MOST_KEYS))
        )

    def _deleted(self) -> Iterable[tuple[str, int]]:
        """(key as the anonymized table shows it, sequence) of deletes: in their own epoch and in every other one."""
        shown = self._joined(list(self._contract.key))
        for row in self._ask(
            f"SELECT {shown}, {CHANGE}.sequence FROM {self._anonymized} WHERE {CHANGE}.operation = 'd'"  # noqa: S608
        ):
            yield row[0], row[1]
        epochs = [row[0] for row in self._ask(f"SELECT DISTINCT key_epoch FROM {self._anonymized}")]  # noqa: S608
        columns = ", ".join(self._contract.key)
        for row in self._ask(
            f"SELECT {CHANGE}.sequence, {columns} FROM {self._raw} WHERE {CHANGE}.operation = 'd'"  # noqa: S608
        ):
            for epoch in epochs:
                token = self._keys.token_key(self._purpose, epoch).token
                parts = zip(row.values()[1:], self._key, strict=True)
                yield SEPARATOR.join(token(str(part)) if hidden else str(part) for part, (_, hidden) in parts), row[0]

    def _forget(self, keys: list[str], sequences: list[int]) -> int:
        """Raw rows first: their tokens are found through the anonymized ones."""
        old = (
            f"SELECT older.event_token FROM {self._anonymized} older "  # noqa: S608
            "JOIN (SELECT key, sequence FROM UNNEST(@keys) key WITH OFFSET at "
            "JOIN UNNEST(@sequences) sequence WITH OFFSET place ON at = place) deleted "
            f"ON {self._joined([f'older.{path}' for path in self._contract.key])} = deleted.key "
            f"AND older.{CHANGE}.sequence < deleted.sequence"
        )
        parameters = [
            bigquery.ArrayQueryParameter("keys", "STRING", keys),
            bigquery.ArrayQueryParameter("sequences", "INT64", sequences),
        ]
        tokens = [row[0] for row in self._ask(old, parameters)]
        for start in range(0, len(tokens), MOST_TOKENS):
            part = ",".join(tokens[start : start + MOST_TOKENS])
            for table in (self._raw, self._anonymized):
                self._ask(
                    f"DELETE FROM {table} WHERE event_token IN "  # noqa: S608
                    "(SELECT token FROM UNNEST(SPLIT(@tokens)) token)",
                    [bigquery.ScalarQueryParameter("tokens", "STRING", part)],
                )
        return len(tokens)

    def _joined(self, paths: list[str]) -> str:
        """SQL of a key as one text."""
        texts = [f"CAST({path} AS STRING)" for path in paths]
        return texts[0] if len(texts) == 1 else "CONCAT(" + f", '{SEPARATOR}', ".join(texts) + ")"

    def _ask(self, query: str, parameters: list[Any] | None = None) -> list[Any]:
        config = bigquery.QueryJobConfig(query_parameters=parameters or [])
        return list(self._client.query_and_wait(query, job_config=config))
