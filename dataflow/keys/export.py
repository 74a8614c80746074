"""Keysets for BigQuery: who holds the reader's Cloud KMS key reverses what `encrypt` made, in SQL.

KEYS.KEYSET_CHAIN wants the Cloud KMS ciphertext of the serialized Tink keyset with empty additional data, not Tink's
EncryptedKeyset (https://github.com/google/tink/issues/558), and a literal or a query parameter for both its arguments
(https://cloud.google.com/bigquery/docs/reference/standard-sql/aead_encryption_functions#keyskeyset_chain).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tink.proto import tink_pb2

from dataflow.errors import NorenError
from dataflow.keys.kms import KmsKey
from dataflow.keys.store import handle_of, keyset_of


@dataclass(frozen=True)
class Export:
    """A keyset that BigQuery opens.

    kms_key: `gcp-kms://...`, the reader's key.
    location: the Cloud KMS key's; queries run there.
    keyset: the keyset, encrypted by it.
    epochs: whose keys are in it.
    """

    kms_key: str
    location: str
    keyset: bytes
    epochs: tuple[int, ...]

    def expression(self, column: str) -> str:
        """GoogleSQL that gives the text of an encrypted column; its argument is SQL, e.g. `user_id`."""
        literal = "".join(f"\\x{byte:02x}" for byte in self.keyset)
        return f"DETERMINISTIC_DECRYPT_STRING(KEYS.KEYSET_CHAIN('{self.kms_key}', b'{literal}'), {column}, '')"

    def query(self, table: str, columns: Sequence[str]) -> str:
        """GoogleSQL that shows encrypted columns of a table in clear, for the epochs of this export only: a value of
        another epoch would be an error.

        table: `project.dataset.table`.
        columns: paths of BYTES columns, e.g. `device.serial`.
        """
        shown = [f"  {self.expression(column)} AS {column.replace('.', '_')}" for column in columns]
        epochs = ", ".join(map(str, self.epochs))
        return (
            f"-- Runs in {self.location}, by somebody who may decrypt with {self.kms_key};\n"
            "-- Cloud KMS's audit log says who did, if data access logs are on.\n"
            "SELECT\n" + ",\n".join(["  event_token", "  event_time", *shown]) + "\n"
            f"FROM `{table}`\n"
            f"WHERE key_epoch IN ({epochs})"
        )


def exported(handles: Sequence[Any], epochs: Sequence[int], reader: KmsKey) -> Export:
    """One keyset of the keys of all handles (one an epoch), the newest its primary. Under `guarded` only."""
    keyset = tink_pb2.Keyset()
    for handle in handles:
        key = keyset_of(handle).key[0]
        if key.key_id in {other.key_id for other in keyset.key}:
            # 32 random bits: once in 400 million pairs
            raise NorenError("Two epochs' keys have the same id and cannot be told apart; export them one by one.")
        keyset.key.append(key)
        keyset.primary_key_id = key.key_id
    handle_of(keyset)  # valid
    # Not decrypted again to check: who exports needs no right to reverse. The checksums say that it arrived.
    sealed = reader.encrypt(keyset.SerializeToString(), b"")
    return Export(reader.name, reader.location, sealed, tuple(epochs))
