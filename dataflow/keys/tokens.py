"""Keyed tokens: HMAC-SHA256 of a value, the first 128 bits as 32 hex digits.

A plain or salted hash would not do: all telephone numbers of a country hash in minutes; the key is the secret.
"""

import hashlib
import hmac
from typing import TYPE_CHECKING, NoReturn

import polars as pl

if TYPE_CHECKING:
    from dataflow.keys.hashing import States

TOKEN_DIGITS = 32
"""Hex digits of a token: 128 bits, so that a billion ids collide with probability 10^-21."""


class TokenKey:
    """Makes tokens under one key of one purpose and epoch.

    The key is 64 ASCII hex digits of a 32-byte HMAC key, used as they stand: they fill exactly one SHA-256 block, so
    nothing of it is hashed away.
    """

    __slots__ = ("__secret", "__states")

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise ValueError("a token key is 32 bytes")
        self.__secret = key.hex()
        self.__states: States | None = None

    def expression(self, column: pl.Expr) -> pl.Expr:
        """Tokens of a String column; null stays null."""
        return column.map_batches(self.tokens, return_dtype=pl.String)

    def tokens(self, values: pl.Series) -> pl.Series:
        """Tokens of a String column; null stays null."""
        from dataflow.keys import hashing  # half a second to import, and most commands make no token

        if self.__states is None:
            self.__states = hashing.states(self.__secret.encode())
        return hashing.tokens(values, self.__states)

    def token(self, value: str) -> str:
        """The token of one value: the same as the columnar one."""
        return hmac.new(self.__secret.encode(), value.encode(), hashlib.sha256).hexdigest()[:TOKEN_DIGITS]

    def derived(self, label: str) -> "TokenKey":
        """Another key for another use of the same purpose and epoch.

        HMAC-SHA512 of the label: no token (HMAC-SHA256) of any value, whoever chose it, tells of the derived key.
        """
        return TokenKey(hmac.digest(self.__secret.encode(), label.encode(), "sha512")[:32])

    def __repr__(self) -> str:
        return "TokenKey(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is never pickled: open the key ring in the process that needs it")
