"""Sealing: authenticated encryption of what may only be read with a key of its own (journal, dead letters)."""

from typing import Any, NoReturn

from tink import TinkError

from dataflow.errors import NorenError


class Sealer:
    """AES-256-GCM under one purpose's key (a Tink AEAD). The context is authenticated, not stored."""

    __slots__ = ("__aead", "purpose")

    def __init__(self, aead: Any, purpose: str) -> None:
        self.__aead = aead
        self.purpose = purpose

    def seal(self, data: bytes, context: bytes = b"") -> bytes:
        """Ciphertext of `data`: 33 bytes longer (5 of Tink's prefix, 12 of nonce, 16 of tag)."""
        sealed: bytes = self.__aead.encrypt(data, context)
        return sealed

    def open(self, sealed: bytes, context: bytes = b"") -> bytes:
        """The data again. Raises NorenError when the key, the context or the bytes are not those it was sealed with."""
        try:
            data: bytes = self.__aead.decrypt(sealed, context)
        except TinkError as error:
            raise NorenError(f"What was sealed for {self.purpose} cannot be opened with this key ring.") from error
        return data

    def __repr__(self) -> str:
        return f"Sealer({self.purpose})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is never pickled: open the key ring in the process that needs it")
