"""gzip and zstd, recognized by their magic bytes, with a bound: a small message may unpack to gigabytes.

No JSON text begins with either magic. A binary message may, so there the attribute Content-Encoding decides; where it
is missing, what does not unpack is taken as it is. Content-Encoding on a message that is not compressed is no error: a
gateway may have unpacked it.
"""

import zlib
from collections.abc import Mapping

import zstandard

from dataflow.core.rejects import Reason, RefusedError

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
ATTRIBUTE = "content-encoding"

_WINDOW = 8 << 20
"""Bytes of the largest zstd window that is taken; decoders need not take a larger one
(https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1.1.2)."""

_EXPANSION = 1 << 15
"""A zstd block of 4 bytes may stand for 128 KiB."""


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
    parts, size = [], 0
    while data:
        decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        part = decoder.decompress(data, limit - size + 1)
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        if not decoder.eof:
            raise zlib.error("ends too early")
        parts.append(part)
        data = decoder.unused_data
    return b"".join(parts)


def _zstd(data: bytes, limit: int) -> bytes:
    parts, size = [], 0
    step = max(64, limit // _EXPANSION)  # so that no step gives much more than the limit
    while data:
        decoder = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()
        start = 0
        while not decoder.eof:
            if start >= len(data):
                raise zstandard.ZstdError("ends too early")
            part = decoder.decompress(data[start : start + step])
            start += step
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            parts.append(part)
        data = decoder.unused_data + data[start:]
    return b"".join(parts)


def _too_large(limit: int) -> RefusedError:
    return RefusedError(Reason.TOO_LARGE, f"has more than {limit} bytes when it is decompressed")
