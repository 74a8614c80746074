"""Keys: made, wrapped, opened and used here; no key leaves this package.

Other rooms get objects that *use* a key (a `TokenKey` that makes tokens, a `DeterministicKey` that encrypts reversibly,
a `Sealer`), never its bytes.
"""

from dataflow.keys.deterministic import DeterministicKey
from dataflow.keys.epochs import EPOCH_MONTHS, epoch_expression, epoch_of
from dataflow.keys.export import Export
from dataflow.keys.kms import KmsKey
from dataflow.keys.ring import KeyRing
from dataflow.keys.seal import Sealer
from dataflow.keys.store import KeysetInfo, KeysetName, Kind
from dataflow.keys.tokens import TOKEN_DIGITS, TokenKey

__all__ = [
    "EPOCH_MONTHS",
    "TOKEN_DIGITS",
    "DeterministicKey",
    "Export",
    "KeyRing",
    "KeysetInfo",
    "KeysetName",
    "Kind",
    "KmsKey",
    "Sealer",
    "TokenKey",
    "epoch_expression",
    "epoch_of",
]
