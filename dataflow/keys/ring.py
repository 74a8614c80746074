"""The key ring: one wrapped Tink keyset a purpose and epoch, made when first needed."""

import re
import threading
from pathlib import Path
from typing import Any, NoReturn

from tink import TinkError, aead, daead, new_keyset_handle, prf, proto_keyset_format, secret_key_access
from tink.proto import aes_siv_pb2, hmac_prf_pb2, tink_pb2

from dataflow.errors import NorenError
from dataflow.keys.deterministic import DeterministicKey
from dataflow.keys.seal import Sealer
from dataflow.keys.tokens import TokenKey
from dataflow.keys.wrapping import local_key
from dataflow.objects import create_file

prf.register()
daead.register()


class KeyRing:
    """Opens keys by purpose.

    directory: holds `<purpose>.<epoch>.keyset` for tokens and `<purpose>.keyset` for sealing, each a Tink encrypted
    keyset
    wrapped by the key-encryption key with the file's stem as associated data: a keyset renamed to another purpose
    does not open.
    """

    def __init__(self, directory: Path, wrapping: Any) -> None:
        self._directory = directory
        self.__wrapping = wrapping
        self.__token_keys: dict[tuple[str, int], TokenKey] = {}
        self.__deterministic_keys: dict[tuple[str, int], DeterministicKey] = {}
        self._lock = threading.Lock()

    @classmethod
    def local(cls, directory: Path) -> "KeyRing":
        """The ring of a local stack: wrapped by `directory/kek`, both made on first use."""
        return cls(directory, local_key(directory / "kek"))

    def token_key(self, purpose: str, epoch: int) -> TokenKey:
        """The key that tokens of `purpose` (a domain, by default) are made with in `epoch`. Cached."""
        with self._lock:
            if (purpose, epoch) not in self.__token_keys:
                handle = self._handle(f"{purpose}.{epoch}", prf.prf_key_templates.HMAC_SHA256)
                keyset = tink_pb2.Keyset.FromString(proto_keyset_format.serialize(handle, secret_key_access.TOKEN))
                key = hmac_prf_pb2.HmacPrfKey.FromString(keyset.key[0].key_data.value)
                self.__token_keys[purpose, epoch] = TokenKey(key.key_value)
            return self.__token_keys[purpose, epoch]

    def deterministic_key(self, purpose: str, epoch: int) -> DeterministicKey:
        """The key that `purpose` encrypts reversibly with in `epoch`. Cached."""
        with self._lock:
            if (purpose, epoch) not in self.__deterministic_keys:
                handle = self._handle(f"{purpose}-siv.{epoch}", daead.deterministic_aead_key_templates.AES256_SIV)
                keyset = tink_pb2.Keyset.FromString(proto_keyset_format.serialize(handle, secret_key_access.TOKEN))
                key = aes_siv_pb2.AesSivKey.FromString(keyset.key[0].key_data.value)
                self.__deterministic_keys[purpose, epoch] = DeterministicKey(key.key_value, keyset.key[0].key_id)
            return self.__deterministic_keys[purpose, epoch]

    def sealer(self, purpose: str) -> Sealer:
        """What seals and opens for `purpose`, e.g. `journal` or `dead_letter`."""
        return Sealer(self._handle(purpose, aead.aead_key_templates.AES256_GCM).primitive(aead.Aead), purpose)

    def _handle(self, stem: str, template: Any) -> Any:
        if not re.fullmatch(r"[a-z][a-z0-9_-]*(\.-?\d+)?", stem):
            raise NorenError(f"{stem} is no purpose of a key: use lower-case letters, digits, - and _.")
        path = self._directory / f"{stem}.keyset"
        if not path.exists():
            fresh = new_keyset_handle(template)
            create_file(path, proto_keyset_format.serialize_encrypted(fresh, self.__wrapping, stem.encode()))
        try:
            return proto_keyset_format.parse_encrypted(path.read_bytes(), self.__wrapping, stem.encode())
        except TinkError as error:
            raise NorenError(f"{path.name}: does not open with this key-encryption key.") from error

    def __repr__(self) -> str:
        return "KeyRing(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key ring is never pickled: open it in the process that needs it")
