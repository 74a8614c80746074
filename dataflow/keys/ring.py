"""The key ring: opens keys by purpose, and rotates, re-wraps and exports them."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from tink import aead
from tink.proto import aes_siv_pb2, hmac_prf_pb2

from dataflow.errors import NorenError
from dataflow.keys.deterministic import DeterministicKey
from dataflow.keys.export import Export, exported
from dataflow.keys.guard import guarded
from dataflow.keys.kms import KmsKey
from dataflow.keys.seal import Rotating, Sealer
from dataflow.keys.store import KeysetInfo, KeysetName, KeysetStore, Kind, handle_of, keyset_of
from dataflow.keys.tokens import TokenKey
from dataflow.keys.wrapping import (
    LOCAL,
    LOCAL_FILE,
    LocalKey,
    Wrapping,
    configured,
    local_key,
    with_new_primary,
    wrapping,
)
from dataflow.objects import LocalObjects, Objects


class KeyRing:
    """Opens keys by purpose; a keyset is made when it is first asked for.

    objects: where the wrapped keysets lie.
    wrappings: key-encryption keys; the first wraps what is made, all may open what is there.
    """

    def __init__(self, objects: Objects, wrappings: Sequence[Wrapping]) -> None:
        self._store = KeysetStore(objects, wrappings)
        self._wrappings = tuple(wrappings)
        self.__token_keys: dict[tuple[str, int], TokenKey] = {}
        self.__deterministic_keys: dict[tuple[str, int], DeterministicKey] = {}
        self.__sealers: dict[str, Sealer] = {}
        self._lock = threading.Lock()
        self.clock = time.monotonic
        """Seconds: when a sealing keyset was last looked for."""

    @classmethod
    def local(cls, directory: Path) -> "KeyRing":
        """The ring of a local stack: wrapped by `directory/kek`, both made on first use."""
        return cls.open(directory, LOCAL)

    @classmethod
    def open(cls, directory: Path, kms_key: str | None = None) -> "KeyRing":
        """The ring in a directory.

        kms_key: names of key-encryption keys separated by commas, e.g. `gcp-kms://projects/...` or `local`; None for
            what NOREN_KMS_KEY says, and the local key (`directory/kek`, made on first use) when it says nothing.
        Raises NorenError when a name is none, or the local key is gone while there are keysets that it wrapped.
        """
        names = configured(kms_key)
        ring = cls(LocalObjects(directory), [wrapping(name, directory) for name in names])
        if LOCAL in names:
            path = directory / LOCAL_FILE
            if not path.exists() and any(info.wrapping == LOCAL for info in ring.listing()):
                raise NorenError(
                    f"{LOCAL_FILE}: the key-encryption key is gone; restore it, what it wrapped is lost without."
                )
            local_key(path)
        return ring

    def token_key(self, purpose: str, epoch: int) -> TokenKey:
        """The key that tokens of `purpose` (a domain, by default) are made with in `epoch`. Cached."""
        with self._lock:
            if (purpose, epoch) not in self.__token_keys:
                opened = self._store.open(KeysetName(Kind.TOKEN, purpose, epoch))
                self.__token_keys[purpose, epoch] = guarded(lambda: _token_key(opened.handle))
            return self.__token_keys[purpose, epoch]

    def deterministic_key(self, purpose: str, epoch: int) -> DeterministicKey:
        """The key that `purpose` encrypts reversibly with in `epoch`. Cached."""
        with self._lock:
            if (purpose, epoch) not in self.__deterministic_keys:
                opened = self._store.open(KeysetName(Kind.DETERMINISTIC, purpose, epoch))
                self.__deterministic_keys[purpose, epoch] = guarded(lambda: _deterministic_key(opened.handle))
            return self.__deterministic_keys[purpose, epoch]

    def sealer(self, purpose: str) -> Sealer:
        """What seals and opens for `purpose`, e.g. `journal` or `dead_letter`. Cached."""
        with self._lock:
            if purpose not in self.__sealers:
                name = KeysetName(Kind.SEAL, purpose)

                def load(known: int) -> tuple[int, Any] | None:
                    if known and self._store.generations().get(name, 0) <= known:
                        return None
                    opened = self._store.open(name)
                    return opened.generation, guarded(lambda: opened.handle.primitive(aead.Aead))

                self.__sealers[purpose] = Sealer(Rotating(load, self.clock), purpose)
            return self.__sealers[purpose]

    def listing(self) -> list[KeysetInfo]:
        """Every keyset that is there, or was made and is gone; nothing is opened."""
        return self._store.listing()

    def rotate(self, purpose: str) -> int:
        """Give a sealing purpose a new primary key; what older keys sealed still opens. Gives the generation.

        Token and deterministic keys have no such rotation: a second key within an epoch would give a person two
        pseudonyms there, and a replay others than the first run. They change with the epoch of the event.
        Raises NorenError when there is no such sealing keyset.
        """
        name = KeysetName(Kind.SEAL, purpose)
        if name not in self._store.generations():
            known = [info.name.purpose for info in self.listing() if info.name.kind is Kind.SEAL]
            raise NorenError(
                f"{purpose} is no purpose that something is sealed for (there are: {', '.join(known) or 'none'}); "
                "token and deterministic keys change with the epoch of the event."
            )
        current = self._store.open(name)
        fresh = guarded(lambda: handle_of(with_new_primary(current.handle, Kind.SEAL.template)))
        return self._store.replace(current, fresh)

    def rewrap(self) -> list[KeysetName]:
        """Wrap every keyset anew by the first key-encryption key; the keys themselves stay. Gives the keysets' names.

        A local key is rotated first; a Cloud KMS key wraps with its primary version. Interrupted, it is repeated.
        """
        if isinstance(self._wrappings[0], LocalKey):
            self._wrappings[0].rotate()
        names = sorted(self._store.generations())
        for name in names:
            current = self._store.open(name)
            self._store.replace(current, current.handle)
        return names

    def remake(self, name: KeysetName) -> None:
        """Make a new keyset in place of a lost one. Raises NorenError unless it was made and is gone."""
        self._store.remake(name)

    def export(self, purpose: str, reader: KmsKey, epochs: Sequence[int] = ()) -> Export:
        """The deterministic keys of a purpose, for BigQuery: one keyset of all `epochs` (default: all there are).

        reader: the Cloud KMS key that the people who may reverse are granted.
        Raises NorenError when it also wraps this ring (who may open the export could open every keyset), or when there
        is no such key.
        """
        if reader.name in self._store.wrapping_names:
            raise NorenError(
                f"{reader.name} wraps every keyset: who may open the export could open all; take a key of its own."
            )
        there = {
            name.epoch: name
            for name in self._store.generations()
            if name.kind is Kind.DETERMINISTIC and name.purpose == purpose and name.epoch is not None
        }
        missing = sorted(set(epochs) - set(there))
        if missing or not there:
            raise NorenError(
                f"{purpose} has no key to reverse with in epoch {', '.join(map(str, missing))}."
                if missing
                else f"{purpose} has no key to reverse with: nothing was encrypted for it."
            )
        chosen = sorted(epochs or there)
        handles = [self._store.open(there[epoch]).handle for epoch in chosen]
        return guarded(lambda: exported(handles, chosen, reader))

    def __repr__(self) -> str:
        return "KeyRing(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key ring is never pickled: open it in the process that needs it")


def _token_key(handle: Any) -> TokenKey:
    return TokenKey(hmac_prf_pb2.HmacPrfKey.FromString(keyset_of(handle).key[0].key_data.value).key_value)


def _deterministic_key(handle: Any) -> DeterministicKey:
    key = keyset_of(handle).key[0]
    return DeterministicKey(aes_siv_pb2.AesSivKey.FromString(key.key_data.value).key_value, key.key_id)
