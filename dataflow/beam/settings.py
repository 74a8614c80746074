"""What travels to the workers: descriptions and paths. Keys are opened where they are used and never travel."""

import traceback
from dataclasses import dataclass
from pathlib import Path

from dataflow.beam.arguments import SHARDS
from dataflow.beam.options import NorenOptions
from dataflow.candidates import Preparer
from dataflow.contract import Contract, load_contracts
from dataflow.core import Anonymizer
from dataflow.countries import Countries
from dataflow.dead_letters import PURPOSE
from dataflow.errors import NorenError
from dataflow.keys import KeyRing
from dataflow.policy import Policy, check_policy, load_policy
from dataflow.sources.schemas import PubSubSchemas, WriterSchemas


@dataclass(frozen=True)
class Settings:
    """Of one stream's pipeline.

    keys, country_file: paths on the worker.
    kms_key: names of the key-encryption keys, as KeyRing.open takes them.
    shards: number of deduplication states. A running job keeps its number: else a token's state would not be found.
    """

    contract: Contract
    policy: Policy
    keys: Path
    country_file: Path | None = None
    shards: int = SHARDS
    kms_key: str | None = None

    @classmethod
    def of(cls, options: NorenOptions) -> "Settings":
        """Read and check contract and policy, here where the pipeline is launched.

        Raises NorenError for an unknown stream, a wrong contract or policy, or shards below 1.
        """
        contracts_at, policy_at, keys = options.paths()
        contracts = load_contracts(contracts_at)
        if options.stream not in contracts:
            raise NorenError(f"--stream {options.stream}: there are contracts for {', '.join(contracts)}.")
        policy = load_policy(policy_at)
        check_policy(policy, contracts)
        if options.shards < 1:
            raise NorenError(f"--shards {options.shards}: must be 1 or more.")
        country_file = Path(options.country_file) if options.country_file else None
        return cls(contracts[options.stream], policy, keys, country_file, options.shards, options.kms_key)

    def preparer(self) -> Preparer:
        """The core with its keys, on the worker.

        Raises NorenError when the directory holds no key ring: one made on the spot would give every worker tokens of
        its own, which join with nothing.
        """
        if not any((self.keys / part).exists() for part in ("kek", "register")):
            raise NorenError(f"--keys {self.keys}: holds no key ring on this worker; mount the one of the deployment.")
        keys = KeyRing.open(self.keys, self.kms_key)
        country = Countries(self.country_file) if self.country_file else None
        schemas = WriterSchemas(PubSubSchemas())
        return Preparer(Anonymizer(self.contract, self.policy, keys, country, schemas), keys.sealer(PURPOSE))


def without_values(stream: str, error: Exception) -> NorenError:
    """What may be said of an unforeseen error: its type and where it was raised.

    Its own text may quote an event, and runners log it. Raise it `from None`.
    """
    last = traceback.extract_tb(error.__traceback__)[-1]
    return NorenError(
        f"{stream}: a batch failed with {type(error).__name__} in {Path(last.filename).name}:{last.lineno}."
    )
