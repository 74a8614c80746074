"""Which version a pipeline starts under, and how the next ones are prepared beside it."""

import os
from collections.abc import Callable

import polars as pl

from dataflow.bundle.bundle import Bundle
from dataflow.bundle.transition import check_transition
from dataflow.bundle.watch import Watcher
from dataflow.contract import load_contracts
from dataflow.core import Anonymizer, Schemas
from dataflow.errors import NorenError
from dataflow.keys import KeyRing
from dataflow.keys.signing import DEVELOPMENT, Verifier
from dataflow.policy import check_policy, load_policy
from dataflow.policy.diff import Rules
from dataflow.project import Project
from dataflow.schemas import Table, tables

ENVIRONMENT = "NOREN_ENVIRONMENT"


def production() -> bool:
    """Whether this process may run published bundles only: `NOREN_ENVIRONMENT` is set and not `development`."""
    return os.environ.get(ENVIRONMENT, DEVELOPMENT) != DEVELOPMENT


class Starter:
    """Makes anonymizers of one stream.

    country, schemas: as for the Anonymizer.
    ensure: makes a table, or adds the nullable columns that it lacks; raises NorenError
    for one that needs more (`LoadSink.ensure`).
    """

    def __init__(
        self,
        project: Project,
        stream: str,
        keys: KeyRing,
        country: Callable[[pl.Series], pl.Series] | None,
        ensure: Callable[[Table], None],
        schemas: Schemas | None = None,
    ) -> None:
        self._project = project
        self._stream = stream
        self._keys = keys
        self._country = country
        self._schemas = schemas
        self._ensure = ensure
        self._rules: Rules | None = None

    def prepare(self, bundle: Bundle) -> Anonymizer:
        """The anonymizer of a bundle, its tables ready.

        Raises NorenError when the bundle is broken or a running pipeline cannot change to it.
        """
        rules = bundle.rules()
        if self._stream not in rules.contracts:
            raise NorenError(f"{self._stream}: it has no contract for this stream.")
        if self._rules is not None:
            check_transition(self._stream, self._rules, rules)
        return self._made(rules, [self._stream])

    def start(
        self, watcher: Watcher[Anonymizer], place: str, verifier: Verifier, bundles_only: bool
    ) -> tuple[Anonymizer, str]:
        """What to start under, and one line that says which version that is and where it is from.

        The newest acceptable bundle; where none is published, the project's files.
        Raises NorenError when bundles are published and none is acceptable, and when none is published, or they are a
        development key's, where only bundles may run.
        """
        if bundles_only and verifier.environment == DEVELOPMENT:
            raise NorenError(
                f"{self._stream}: a development key is not trusted here; name the public key with --trust."
            )
        watcher.look()
        anonymizer = watcher.take()
        if anonymizer is not None:
            version = f"policy {anonymizer.policy.version}, contract {anonymizer.contract.version}"
            return anonymizer, f"{self._stream} runs under {version}: bundle {watcher.running} of {place}"
        if watcher.refused:
            raise NorenError(
                f"{self._stream}: none of the bundles in {place} is acceptable (newest: {max(watcher.refused)}, "
                f"{watcher.refused[max(watcher.refused)]}); publish one that is."
            )
        if bundles_only:
            raise NorenError(
                f"{self._stream}: no bundle is published in {place}; publish one with noren policy publish."
            )
        anonymizer = self._from_files()
        version = f"policy {anonymizer.policy.version}, contract {anonymizer.contract.version}"
        return anonymizer, f"{self._stream} runs under {version}: files of the project, no bundle in {place}"

    def _from_files(self) -> Anonymizer:
        rules = Rules(load_policy(self._project.policy), load_contracts(self._project.contracts))
        if self._stream not in rules.contracts:
            raise NorenError(f"{self._stream} is no stream: there are contracts for {', '.join(rules.contracts)}.")
        check_policy(rules.policy, dict(rules.contracts))
        # of every stream: dbt's views stand over all of them, whichever runs
        return self._made(rules, list(rules.contracts))

    def _made(self, rules: Rules, streams: list[str]) -> Anonymizer:
        anonymizer = Anonymizer(rules.contracts[self._stream], rules.policy, self._keys, self._country, self._schemas)
        for stream in streams:
            for table in tables(rules.contracts[stream], rules.policy).values():
                self._ensure(table)
        self._rules = rules
        return anonymizer
