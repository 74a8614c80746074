"""AES-SIV over a whole column: numpy and a few AES-ECB calls over all blocks of all values at once.

AES-SIV (RFC 5297, with AES-256: a 64-byte key) of one value is S2V, a CMAC chain that gives the synthetic IV, and then
AES-CTR from that IV. A value a call costs about a microsecond, nearly all of it the call. Here the first step of every
value's chain is one AES-ECB call, the second step of all values that have one the next, and all counter blocks are one
call more. A column of ids of up to 16 bytes takes two calls.
"""

from typing import NoReturn

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from numpy.typing import NDArray

BLOCK = 16
KEY_BYTES = 64
IV_BYTES = BLOCK

type Bytes = NDArray[np.uint8]
type Words = NDArray[np.uint64]
"""Blocks as pairs of 64-bit words, shape (blocks, 2), in memory order."""
type Positions = NDArray[np.int64]

_WINDOW = np.dtype((np.void, BLOCK))
_IV_MASK = np.frombuffer(bytes.fromhex("ffffffffffffffff7fffffff7fffffff"), np.uint64)
"""Clears the top bit of the two last 32-bit words: the counter never carries out of its last word (RFC 5297, 2.5)."""


class BatchSiv:
    """AES-256-SIV with one empty associated-data string, the same as `cryptography`'s AESSIV.encrypt(value, [b""]).

    key: 64 bytes, the CMAC half first.
    prefix: put before every ciphertext.
    """

    __slots__ = ("__ctr", "__folded", "__mac", "__prefix")

    def __init__(self, key: bytes, prefix: bytes = b"") -> None:
        if len(key) != KEY_BYTES:
            raise ValueError("an AES-256-SIV key is 64 bytes")
        self.__mac = Cipher(AES(key[: KEY_BYTES // 2]), ECB())  # noqa: S305  (CMAC's block function)  # nosec B305
        self.__ctr = Cipher(AES(key[KEY_BYTES // 2 :]), ECB())  # noqa: S305  (CTR's)  # nosec B305
        self.__prefix = prefix
        self.__folded = _folded(self.__mac)

    def encrypt(self, offsets: Positions, data: Bytes) -> tuple[Positions, Bytes]:
        """(offsets, bytes) of the ciphertexts: prefix, synthetic IV, ciphertext.

        offsets: where each value begins in `data`, and one more for the end of the last, as Arrow has them.
        data: at least 16 bytes longer than its values; what these hold does not matter.
        """
        lengths = np.diff(offsets)
        chained = np.maximum((lengths + BLOCK - 1) >> 4, 1)  # blocks of the CMAC chain
        firsts = np.cumsum(chained) - chained
        owners = np.repeat(np.arange(len(lengths)), chained)
        within = (np.arange(len(owners)) - firsts.take(owners)) * BLOCK
        roles = _roles(lengths, firsts + chained - 1, len(owners))
        blocks = _words(_windows(data).take(offsets.take(owners) + within))
        blocks &= _KEPT.take(roles, axis=0)
        iv = self._chain(blocks ^ self.__folded.take(roles, axis=0), firsts, chained)
        counters = (iv & _IV_MASK).take(owners, axis=0)
        counters.view(">u4")[:, 3] += (within >> 4).astype(np.uint32)
        blocks ^= _ecb(self.__ctr, counters)

        head = len(self.__prefix) + IV_BYTES
        ends = np.zeros(len(offsets), np.int64)
        np.cumsum(lengths + head, out=ends[1:])
        out = np.empty(int(ends[-1]) + 2 * BLOCK, np.uint8)
        windows = _windows(out)
        # A last block is written whole: what is beyond its value falls on the head of the next one, written after it.
        windows[ends.take(owners) + within + head] = blocks.view(_WINDOW)[:, 0]
        windows[ends[:-1]] = np.frombuffer(self.__prefix.ljust(BLOCK), _WINDOW)[0]
        windows[ends[:-1] + len(self.__prefix)] = iv.view(_WINDOW)[:, 0]
        return ends, out[: int(ends[-1])]

    def _chain(self, blocks: Words, firsts: Positions, chained: Positions) -> Words:
        """CMAC's chains, which are the synthetic IVs: step by step, all values that have a block left at once."""
        state = _ecb(self.__mac, blocks.take(firsts, axis=0))
        running = np.flatnonzero(chained > 1)
        step = 1
        while running.size:
            following = state.take(running, axis=0) ^ blocks.take(firsts.take(running) + step, axis=0)
            state[running] = _ecb(self.__mac, following)
            step += 1
            running = running[chained.take(running) > step]
        return state

    def __repr__(self) -> str:
        return "BatchSiv(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is never pickled: open the key ring in the process that needs it")


def _roles(lengths: Positions, lasts: Positions, blocks: int) -> Positions:
    """What each block is: a row of `_KEPT` and of the folded table.

    0: whole, in the midst of a value; 1 to 16: all of a value of 0 to 15 bytes; 17 to 32: the last of a longer value,
    with 16, 1, 2 ... 15 bytes in it; 33 to 48: the one before such a last one.
    """
    roles = np.zeros(blocks, np.int64)
    tails = lengths & (BLOCK - 1)
    long = lengths >= BLOCK
    straddling = np.flatnonzero(long & (tails != 0))
    roles[lasts.take(straddling) - 1] = tails.take(straddling) + 33
    roles[lasts] = tails + np.where(long, 17, 1)
    return roles


def _folded(mac: "Cipher[ECB]") -> Words:
    """What a block is xored with before it enters the chain, by role: S2V's `xorend` and CMAC's padding and subkey."""
    encrypt = mac.encryptor().update
    whole = _doubled(encrypt(bytes(BLOCK)))
    padded = _doubled(whole)
    d = _xor(_doubled(encrypt(whole)), encrypt(_xor(_pad(0), padded)))
    short = [_xor(_xor(_doubled(d), _pad(length)), whole) for length in range(BLOCK)]
    last, previous = [_xor(d, whole)], [bytes(BLOCK)]
    for length in range(1, BLOCK):
        end = d[BLOCK - length :] + bytes(BLOCK - length)
        last.append(_xor(_xor(end, _pad(length)), padded))
        previous.append(bytes(length) + d[: BLOCK - length])
    return _table([bytes(BLOCK), *short, *last, *previous])


def _windows(data: Bytes) -> NDArray[np.void]:
    """Every run of 16 bytes of `data`, by its first byte: a view."""
    return np.ndarray((data.size - BLOCK + 1,), _WINDOW, data, strides=(1,))


def _words(blocks: NDArray[np.void]) -> Words:
    return blocks.view(np.uint64).reshape(-1, 2)


def _ecb(cipher: "Cipher[ECB]", blocks: Words) -> Words:
    """AES of each block. A context of its own a call: threads may not share one."""
    data = blocks.view(np.uint8).reshape(-1)
    out = np.empty(data.size + BLOCK - 1, np.uint8)  # update_into wants room for nearly a block more
    cipher.encryptor().update_into(data.data, out.data)
    return out[: data.size].view(np.uint64).reshape(-1, 2)


def _table(rows: list[bytes]) -> Words:
    return np.frombuffer(b"".join(rows), np.uint64).reshape(-1, 2)


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _pad(length: int) -> bytes:
    """The padding of a last block that holds `length` bytes, in its place: one bit, then zeros."""
    return (bytes(length) + b"\x80").ljust(BLOCK, b"\0")


def _doubled(block: bytes) -> bytes:
    """Twice the element of GF(2^128) (RFC 5297, 2.3)."""
    number = int.from_bytes(block) << 1
    if number >> 128:
        number = (number & (1 << 128) - 1) ^ 0x87
    return number.to_bytes(BLOCK)


_WHOLE = b"\xff" * BLOCK
_PARTS = [(b"\xff" * length).ljust(BLOCK, b"\0") for length in range(BLOCK)]
_KEPT = _table([_WHOLE, *_PARTS, _WHOLE, *_PARTS[1:], *[_WHOLE] * BLOCK])
"""Which bytes of a block belong to its value, by role."""
