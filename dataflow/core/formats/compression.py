"""gzip and zstd, recognized by their magic bytes, with a bound: a small message may unpack to gigabytes.

No JSON text begins with either magic. A binary message may, so there the attribute Content-Encoding decides; where it
is missing, what does not unpack is taken as it is. Content-Encoding on a message that is not compressed is no error: a
gateway may have unpacked it.
"""

import zlib
from collections.abc import Callable, Mapping
from typing import Any

import zstandard

from dataflow.core.rejects import Reason, RefusedError

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
ATTRIBUTE = "content-encoding"

_WINDOW = 8 << 20
"""Bytes of the largest zstd window that is taken; decoders need not take a larger one
(https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1.1.2)."""

_EXPANSION = 1 << 15
"""A zstd block of 4 bytes may stand for 128 KiB."""

_STEP = 1 << 12
"""Most bytes that are unpacked at a time: what lies behind a member's end is copied."""

MOST_PARTS = 1024
"""gzip members or zstd frames of a message: empty ones by the million would take seconds."""

_Gzip = type(zlib.decompressobj())


def compressed(data: bytes) -> bool:
    """Whether the bytes begin like gzip or zstd."""
    return data.startswith((GZIP, ZSTD))


def inflated(data: bytes, limit: int) -> bytes:
    """The unpacked bytes of `compressed` data; several members or frames are one text.

    Raises RefusedError: more than `limit` bytes, or not what its magic bytes promise.
    """
    try:
        return _gzip(data, limit) if data.startswith(GZIP) else _zstd(data, limit)
    except (zlib.error, zstandard.ZstdError) as error:
        raise RefusedError(Reason.MALFORMED_COMPRESSION, "cannot be decompressed") from error


def plain(data: bytes, limit: int) -> bytes:
    """The bytes, unpacked where they are compressed: for text formats. Raises RefusedError like `inflated`."""
    return inflated(data, limit) if compressed(data) else data


def plain_binary(data: bytes, attributes: Mapping[str, str], limit: int) -> bytes:
    """The same for formats whose messages may begin like compressed ones."""
    if not compressed(data):
        return data
    named = next((value for name, value in attributes.items() if name.lower() == ATTRIBUTE), None)
    if named is not None:
        return inflated(data, limit) if named.lower() in ("gzip", "x-gzip", "zstd") else data
    try:
        return inflated(data, limit)
    except RefusedError as error:
        if error.reason is Reason.TOO_LARGE:
            raise
        return data


def _gzip(data: bytes, limit: int) -> bytes:
    return _parts(data, limit, _STEP, lambda: zlib.decompressobj(wbits=zlib.MAX_WBITS | 16))


def _zstd(data: bytes, limit: int) -> bytes:
    step = min(_STEP, max(64, limit // _EXPANSION))  # so that no step gives much more than the limit
    return _parts(data, limit, step, zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj)


def _parts(data: bytes, limit: int, step: int, decoder: Callable[[], Any]) -> bytes:
    """What the members or frames hold, one after the other. decoder: makes one for the next of them."""
    found: list[bytes] = []
    size = start = 0
    for _ in range(MOST_PARTS):
        one = decoder()
        while not one.eof:
            piece = data[start : start + step]
            if not piece:
                raise zlib.error("ends too early")
            text = one.decompress(piece, limit - size + 1) if isinstance(one, _Gzip) else one.decompress(piece)
            start += len(piece)
            size += len(text)
            if size > limit:
                raise _too_large(limit)
            found.append(text)
        start -= len(one.unused_data)
        if start == len(data):
            return b"".join(found)
    raise zlib.error("has too many parts")


def _too_large(limit: int) -> RefusedError:
    return RefusedError(Reason.TOO_LARGE, f"has more than {limit} bytes when it is decompressed")
