"""Deterministic encryption: AES-256-SIV in Tink's format, so that BigQuery's DETERMINISTIC_DECRYPT_STRING reverses it.

A ciphertext is 0x01, the key id (4 bytes, big-endian), the synthetic IV (16 bytes) and as many bytes as the value has
in UTF-8: 21 bytes more than the value (https://developers.google.com/tink/wire-format#deterministic_aead). The
associated data is the empty string, `''` in SQL: a value has one ciphertext in all columns of a purpose, so they join.
"""

from typing import NoReturn

import numpy as np
import polars as pl
import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from dataflow.errors import NorenError
from dataflow.keys.siv import BLOCK, BatchSiv

PREFIX_BYTES = 5
LONG = 512
"""From this length in bytes on a value is encrypted by itself: its chain of blocks would have few others beside it."""


class DeterministicKey:
    """Encrypts and decrypts under one key of one purpose and epoch.

    key: the 64 bytes of AES-256-SIV.
    key_id: Tink's id of the key, unsigned 32 bits: BigQuery finds the key of an epoch by it.
    """

    __slots__ = ("__batch", "__one", "__prefix")

    def __init__(self, key: bytes, key_id: int) -> None:
        self.__prefix = b"\x01" + key_id.to_bytes(4)
        self.__batch = BatchSiv(key, self.__prefix)
        self.__one = AESSIV(key)

    def expression(self, column: pl.Expr) -> pl.Expr:
        """Ciphertexts, Binary, of a String column; null stays null."""
        return column.map_batches(self.encrypt, return_dtype=pl.Binary, is_elementwise=True)

    def encrypt(self, values: pl.Series) -> pl.Series:
        """Ciphertexts, Binary, of a String series; null stays null.

        Raises TypeError for another type of series.
        """
        if values.dtype != pl.String:
            raise TypeError(f"deterministic encryption takes text, not {values.dtype}")
        long = values.str.len_bytes() >= LONG
        if long.any():
            long = long.fill_null(False)
            singly = [None if text is None else self.ciphertext(text) for text in values.filter(long)]
            return _merged(long, pl.Series(singly, dtype=pl.Binary), self.encrypt(values.filter(~long)))
        if values.null_count():
            return _merged(values.is_null(), None, self.encrypt(values.drop_nulls()))
        array = values.to_arrow(compat_level=pl.CompatLevel.oldest())
        _, offsets, text = array.buffers()
        ends = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
        data = np.zeros(int(ends[-1]) + BLOCK, np.uint8)
        if text is not None:
            data[: ends[-1]] = np.frombuffer(text, np.uint8)[: ends[-1]]
        out_offsets, out = self.__batch.encrypt(ends, data)
        made = pa.LargeBinaryArray.from_buffers(
            pa.large_binary(), len(values), [None, pa.py_buffer(out_offsets), pa.py_buffer(out)]
        )
        return pl.Series(values.name, made)

    def ciphertext(self, value: str) -> bytes:
        """The ciphertext of one value: the same as the columnar one."""
        return self.__prefix + self.__one.encrypt(value.encode(), [b""])

    def value(self, ciphertext: bytes) -> str:
        """The value again. Raises NorenError when this key did not make the ciphertext."""
        try:
            if not ciphertext.startswith(self.__prefix):
                raise InvalidTag
            return self.__one.decrypt(ciphertext[PREFIX_BYTES:], [b""]).decode()
        except (InvalidTag, UnicodeDecodeError) as error:
            raise NorenError("This ciphertext was not made with the key of this purpose and epoch.") from error

    def __repr__(self) -> str:
        return "DeterministicKey(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is never pickled: open the key ring in the process that needs it")


def _merged(chosen: pl.Series, of_chosen: pl.Series | None, of_others: pl.Series) -> pl.Series:
    """One series again: where `chosen` the values of `of_chosen` (None: null), else those of `of_others`, in order."""
    rank = chosen.cast(pl.Int64).cum_sum() - 1
    others = (~chosen).cast(pl.Int64).cum_sum() - 1
    if of_chosen is None:
        return of_others.gather(pl.select(pl.when(~chosen).then(others)).to_series())
    both = pl.concat([of_others, of_chosen])
    return both.gather(pl.select(pl.when(chosen).then(rank + len(of_others)).otherwise(others)).to_series())
