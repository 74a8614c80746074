"""Records of one file, one after the other, in bounded memory."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import msgspec
import zstandard

from dataflow.core.rejects import Reason, RefusedError
from dataflow.errors import NorenError
from dataflow.sources.files.find import FileFormat, Found

LONGEST_LINE = 16 << 20
"""Bytes; the rest of a longer line is passed over."""

PARQUET_ROWS = 10_000
"""Rows of a row group that are turned into Python values at a time."""


@dataclass(frozen=True, slots=True)
class Record:
    """number: which of the file's, from 1: the line of JSON lines, the record behind the header of CSV.

    data: its bytes, of CSV and Parquet as a JSON object.
    values: by name; None for JSON lines, which nobody needs to take apart yet.
    at: bytes of the file that are read when it is.
    """

    number: int
    data: bytes
    values: dict[str, Any] | None
    at: int
    refusal: RefusedError | None = None


def records(file: Found, skip: int = 0) -> Iterator[Record]:
    """The file's records behind the first `skip`.

    Raises NorenError when the file cannot be read to its end; what was given until then is good.
    """
    reader = {FileFormat.JSONL: _lines, FileFormat.CSV: _cells, FileFormat.PARQUET: _parquet}[file.format]
    last = skip
    try:
        for record in reader(file, skip):
            last = record.number
            yield record
    except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
        raise NorenError(f"{file.path}: its compression is broken behind record {last}; get the file again.") from error
    except OSError as error:
        raise NorenError(f"{file.path}: cannot be read behind record {last}: {error.strerror or 'broken'}.") from error


def _opened(raw: io.BufferedReader) -> io.BufferedReader | gzip.GzipFile:
    """The file's plain bytes; compression is recognized by its first bytes, not by the name."""
    magic = raw.read(4)
    raw.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=raw)
    if magic == b"\x28\xb5\x2f\xfd":
        stream = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
        return io.BufferedReader(stream, 1 << 20)
    return raw


def _lines(file: Found, skip: int) -> Iterator[Record]:
    with file.path.open("rb") as raw, closing(_opened(raw)) as lines:
        number = 0
        while line := lines.readline(LONGEST_LINE):
            number += 1
            refusal = None
            if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                refusal = RefusedError(Reason.TOO_LARGE, f"has more than {LONGEST_LINE} bytes")
                line = line[: 1 << 16]
                while (rest := lines.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                    pass
            line = line.removesuffix(b"\n").removesuffix(b"\r")
            if number > skip and line and not line.isspace():
                yield Record(number, line, None, raw.tell(), refusal)


def _cells(file: Found, skip: int) -> Iterator[Record]:
    encode = msgspec.json.Encoder().encode
    csv.field_size_limit(LONGEST_LINE)
    with (
        file.path.open("rb") as raw,
        closing(_opened(raw)) as plain,
        # what is no UTF-8 becomes lone surrogates, and the one record is refused for it
        io.TextIOWrapper(plain, "utf-8-sig", "surrogateescape", newline="") as text,
    ):
        reader = csv.reader(text, strict=True)
        header = next(reader, None)
        if header is None:
            return
        if twice := sorted({name for name in header if header.count(name) > 1}):
            raise NorenError(f"{file.path}: its header names {', '.join(twice)} twice.")
        for number in _count():
            try:
                row = next(reader, None)
            except csv.Error:
                yield Record(
                    number, b"", {}, raw.tell(), RefusedError(Reason.INVALID_FORMAT, "is no record of CSV: quotes")
                )
                continue
            if row is None:
                return
            if number <= skip or not row:
                continue
            refusal = None
            if len(row) != len(header):
                refusal = RefusedError(
                    Reason.WRONG_LENGTH, f"has {len(row)} cells, the header names {len(header)} columns"
                )
            values = dict(zip(header, row, strict=False))
            try:
                data = encode(values)
            except UnicodeEncodeError:
                refusal = RefusedError(Reason.INVALID_UTF8, "is no valid UTF-8")
                data = ",".join(row).encode("utf-8", "surrogateescape")
            yield Record(number, data, values, raw.tell(), refusal)


def _count() -> Iterator[int]:
    number = 0
    while True:
        number += 1
        yield number


def _parquet(file: Found, skip: int) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    encode = msgspec.json.Encoder(decimal_format="number", enc_hook=_plain).encode
    number = 0
    try:
        with pq.ParquetFile(file.path) as parquet:
            meta = parquet.metadata
            micros = pa.schema([_micros(field) for field in parquet.schema_arrow])
            at = 0
            for group in range(meta.num_row_groups):
                rows = meta.row_group(group).num_rows
                at += sum(
                    meta.row_group(group).column(place).total_compressed_size for place in range(meta.num_columns)
                )
                if number + rows <= skip:
                    number += rows
                    continue
                for batch in parquet.iter_batches(PARQUET_ROWS, row_groups=[group]):
                    for values in pa.Table.from_batches([batch]).cast(micros, safe=False).to_pylist():
                        number += 1
                        if number > skip:
                            present = {name: value for name, value in values.items() if value is not None}
                            yield Record(number, encode(present), present, at)
    except pa.ArrowInvalid as error:
        raise NorenError(f"{file.path}: is no whole Parquet file (read to record {number}).") from error


def _micros(field: Any) -> Any:
    """A time's finer fraction is cut off, as for text: Python's times have microseconds."""
    import pyarrow as pa

    return field.with_type(pa.timestamp("us", field.type.tz)) if pa.types.is_timestamp(field.type) else field


def _plain(value: Any) -> Any:
    """What msgspec has no JSON for."""
    raise TypeError(f"a Parquet value of type {type(value).__name__} has no JSON")
