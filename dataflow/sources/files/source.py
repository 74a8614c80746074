"""The files of one import as a bounded source."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from dataflow.contract import Contract
from dataflow.core.rejects import Reason, RefusedError
from dataflow.keys import TokenKey
from dataflow.sources.bounded import MOST_BYTES, MOST_ROWS, Chunk, Row
from dataflow.sources.eras import Mapped, Mapping
from dataflow.sources.files.coerce import Coercer
from dataflow.sources.files.find import FileFormat, Found
from dataflow.sources.files.readers import Record, records


class FileSource:
    """Files in the order of their paths.

    key: makes the digest of a row's content in its position. With the content in it, a line that was corrected is
        another row, and one that a file grew by moves no other. Keyed: a plain digest of a short line could be guessed.
    mapping: of old schemas; None where the files have the contract's.
    most_rows: of a chunk.
    """

    unit = "bytes"

    def __init__(
        self,
        contract: Contract,
        files: Sequence[Found],
        key: TokenKey,
        mapping: Mapping | None = None,
        most_rows: int = MOST_ROWS,
    ) -> None:
        self.name = "files"
        self.size: int | None = sum(file.size for file in files)
        self._files = files
        self._key = key
        self._mapping = mapping
        self._most_rows = most_rows
        self._coercer = Coercer(contract)
        self._encode = msgspec.json.Encoder(decimal_format="number").encode
        self._version = f"{contract.version}\n{mapping.digest if mapping else ''}"

    def read(self, checkpoint: str, finished: Callable[[str], bool]) -> Iterator[Chunk]:
        """Raises NorenError when a file cannot be read to its end; the chunks before are good."""
        began, row = json.loads(checkpoint) if checkpoint else ("", 0)
        for file in self._files:
            key = file.key(self._version)
            if finished(key):
                yield Chunk([], checkpoint, amount=file.size)
                continue
            yield from self._file(file, key, row if key == began else 0)

    def following(self, checkpoint: str) -> str:  # noqa: ARG002  (the interface's)
        """At the first file: those that have not changed are finished."""
        return ""

    def skipped(self, finished: Callable[[str], bool]) -> list[Found]:
        """The files that `read` would pass over: they were read to their end and have not changed."""
        return [file for file in self._files if finished(file.key(self._version))]

    def _file(self, file: Found, key: str, skip: int) -> Iterator[Chunk]:
        rows: list[Row] = []
        size = outside = at = 0
        last = skip
        for record in records(file, skip):
            row = self._row(file, record)
            last = record.number
            if row is None:
                outside += 1
            else:
                rows.append(row)
                size += len(row.data)
            if len(rows) + outside >= self._most_rows or size >= MOST_BYTES:
                yield Chunk(rows, json.dumps([key, last]), outside=outside, amount=record.at - at)
                rows, size, outside, at = [], 0, 0, record.at
        yield Chunk(rows, json.dumps([key, last]), (key,), outside, max(0, file.size - at))

    def _row(self, file: Found, record: Record) -> Row | None:
        """None for a row that belongs to somebody else."""
        data, refusal = record.data, record.refusal
        if refusal is None:
            try:
                event = self._event(file, record)
            except RefusedError as error:
                refusal = error
            else:
                if event is None:
                    return None
                data = event
        content = self._key.token(record.data.decode("latin-1"))
        place = f"{file.digest}:{record.number}"
        return Row(data, f"file:{place}:{content}", place, {"file": str(file.path)}, refusal)

    def _event(self, file: Found, record: Record) -> bytes | None:
        """The record as the contract's JSON. Raises RefusedError."""
        if self._mapping is None:
            if record.values is None:
                return record.data
            if file.format is FileFormat.CSV:
                return self._encode(self._coercer.event(record.values))
            return record.data
        values = _object(record.data) if record.values is None else record.values
        mapped = self._mapping.map(str(file.path), values)
        if mapped is Mapped.OUTSIDE:
            return None
        assert isinstance(mapped, dict)
        if file.format is FileFormat.CSV:
            mapped = self._coercer.nested(mapped)
        return self._encode(mapped)


def _object(data: bytes) -> dict[str, Any]:
    try:
        values = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(Reason.MALFORMED_JSON, "is no valid JSON") from error
    if not isinstance(values, dict):
        raise RefusedError(Reason.WRONG_TYPE, "must be an object")
    return values
