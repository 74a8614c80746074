"""The key-encryption key: what wraps every other key. Cloud KMS in the cloud, a file on a laptop, one interface
(Tink's AEAD).

Which one is configuration: `NOREN_KMS_KEY` holds the keys' names, separated by commas. The first wraps what is made;
each of them may open what is there. So moving from one key to another is: name both, re-wrap, name the new one alone.
"""

import os
import uuid
from pathlib import Path
from typing import Any, NoReturn, Protocol

from tink import TinkError, aead, new_keyset_handle, proto_keyset_format, secret_key_access
from tink.proto import tink_pb2

from dataflow.errors import NorenError
from dataflow.keys.guard import guarded
from dataflow.keys.kms import SCHEME, KmsKey
from dataflow.objects import create_file

aead.register()

SETTING = "NOREN_KMS_KEY"
LOCAL = "local"
LOCAL_FILE = "kek"


class Wrapping(Protocol):
    """A key-encryption key: Tink's AEAD interface and a name.

    name: `local`, or a Cloud KMS key as `gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K`.
    """

    @property
    def name(self) -> str: ...

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes: ...

    def decrypt(self, ciphertext: bytes, associated_data: bytes) -> bytes: ...


class LocalKey(aead.Aead):  # type: ignore[misc]  # Tink has no types
    """A Tink keyset in clear in a file that only its owner may read.

    It protects a laptop's data as far as the laptop's own disk does, and stands in for Cloud KMS, nothing more. The
    file is read for each use, so that every process has a rotated key at once and none keeps it in memory.
    """

    name = LOCAL

    def __init__(self, path: Path) -> None:
        self._path = path

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        sealed: bytes = self._primitive().encrypt(plaintext, associated_data)
        return sealed

    def decrypt(self, ciphertext: bytes, associated_data: bytes) -> bytes:
        """Raises TinkError when this key did not make the ciphertext."""
        data: bytes = self._primitive().decrypt(ciphertext, associated_data)
        return data

    def rotate(self) -> None:
        """Put a new key first; the old ones still open. Raises NorenError when the file is damaged."""
        guarded(lambda: self._replace())

    def _replace(self) -> None:
        keyset = with_new_primary(self._handle(), aead.aead_key_templates.AES256_GCM)
        draft = self._path.with_name(f".{self._path.name}.{uuid.uuid4().hex}")
        create_file(draft, keyset.SerializeToString())
        draft.rename(self._path)

    def _primitive(self) -> Any:
        return guarded(lambda: self._handle().primitive(aead.Aead))

    def _handle(self) -> Any:
        try:
            if self._path.stat().st_mode & 0o077:
                raise NorenError(f"{self._path.name}: others may read the key-encryption key; run chmod 600 on it.")
            return proto_keyset_format.parse(self._path.read_bytes(), secret_key_access.TOKEN)
        except FileNotFoundError as error:
            raise NorenError(
                f"{self._path.name}: the key-encryption key is gone; restore it, what it wrapped is lost without."
            ) from error
        except TinkError as error:
            raise NorenError(
                f"{self._path.name}: is no key-encryption key; restore it, what it wrapped is lost without."
            ) from error

    def __repr__(self) -> str:
        return "LocalKey(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is never pickled: open it in the process that needs it")


def local_key(path: Path) -> LocalKey:
    """The local key-encryption key in `path`, made on first use, mode 0600.

    Raises NorenError when the file is damaged or others may read it.
    """
    if not path.exists():
        handle = new_keyset_handle(aead.aead_key_templates.AES256_GCM)
        create_file(path, proto_keyset_format.serialize(handle, secret_key_access.TOKEN))
    key = LocalKey(path)
    key._primitive()
    return key


def wrapping(name: str, directory: Path) -> Wrapping:
    """The key-encryption key of a name; the local one lies in `directory`.

    Raises NorenError for a name that is none.
    """
    if name == LOCAL:
        return LocalKey(directory / LOCAL_FILE)
    if name.startswith(SCHEME):
        return KmsKey(name)
    raise NorenError(
        f"{SETTING}: {name} is no key: use {SCHEME}projects/P/locations/L/keyRings/R/cryptoKeys/K or {LOCAL}."
    )


def configured(setting: str | None) -> list[str]:
    """The names of the key-encryption keys: of `setting`, else of NOREN_KMS_KEY, else the local key."""
    text = os.environ.get(SETTING, "") if setting is None else setting
    return [name.strip() for name in text.split(",") if name.strip()] or [LOCAL]


def with_new_primary(handle: Any, template: Any) -> tink_pb2.Keyset:
    """The keyset with a fresh key of the template as its primary; the old ones stay and open. In clear: wrap it."""
    keyset = tink_pb2.Keyset.FromString(proto_keyset_format.serialize(handle, secret_key_access.TOKEN))
    taken = {key.key_id for key in keyset.key}
    while True:
        fresh = proto_keyset_format.serialize(new_keyset_handle(template), secret_key_access.TOKEN)
        key = tink_pb2.Keyset.FromString(fresh).key[0]
        if key.key_id not in taken:
            keyset.key.append(key)
            keyset.primary_key_id = key.key_id
            return keyset
