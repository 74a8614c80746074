"""Typed decode of events, one by one, into columns.

Readers of whole batches are wrong for governance: one malformed line fails the batch, types change silently, a missing
required field passes. So plain events are taken by the compiled reader, which takes none it is in doubt about; msgspec
checks each of the others against a type made from the contract and says where it fails.
"""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import orjson
import polars as pl
from msgspec import Raw

from dataflow.contract import Contract, Field, FieldType
from dataflow.core.arrays import decoded_type
from dataflow.core.formats.compression import compressed, inflated
from dataflow.core.plain import Lane, Plain
from dataflow.core.rejects import WHOLE, Reason, RefusedError, Reject, explain
from dataflow.core.rows import FAILURES, Reader, TooLargeError, objects
from dataflow.core.times import timestamps

OTHER = "<other>"
"""Stands for an undeclared field's name that may itself be data, such as an account number used as a key."""

_PLAIN_NAME = re.compile(r"[A-Za-z_](?!.*\d{4})[A-Za-z0-9_-]{0,39}")
_UNKNOWN = re.compile(r"^Object contains unknown field ")

LEARN_AFTER = 32
"""Events with an undeclared field after which the decoder is built anew to read over it at full speed."""

MOST_LEARNED = 64

MOST_SEEN = 1_000
"""Undeclared names that are waited for at a time: whoever makes up new ones for ever fills no memory."""

LANE_RESTS = 15
"""Batches that are decoded without the compiled reader after one of which it left more than half."""

_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_ARRAY = msgspec.json.Decoder(list[Raw])
_ENCODER = msgspec.json.Encoder()

_JSON_TYPES = {
    b"{"[0]: "object",
    b"["[0]: "array",
    b'"'[0]: "string",
    b"t"[0]: "boolean",
    b"f"[0]: "boolean",
    b"n"[0]: "null",
}


@dataclass
class Decoded:
    """Accepted events as columns, and what was wrong with the others.

    kept: index in the batch of each row.
    columns: path of every declared value -> its values, null where absent. Dates are text still, and so are timestamps
    where one of them is none.
    unknown: (index in the batch, path, JSON type) of every undeclared field of an accepted event.
    """

    kept: npt.NDArray[np.uint32]
    columns: dict[str, pl.Series]
    rejects: list[Reject] = field(default_factory=list)
    unknown: list[tuple[int, str, str]] = field(default_factory=list)


class _Readers:
    """What reads the events of a contract over these undeclared fields; never changed, so that a batch is read by one
    from its first event to its last, whatever other threads learn meanwhile."""

    def __init__(self, contract: Contract, learned: frozenset[str] = frozenset()) -> None:
        self.learned = learned
        self.each = Reader(contract.fields, learned)
        self.lane = Lane(contract.fields, learned)


class Decoder:
    """Decodes the JSON events of one contract; several threads may use one."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._declared = {"": frozenset(item.name for item in contract.fields)} | {
            item.path: frozenset(child.name for child in item.children) for item in objects(contract.fields)
        }
        self._in_arrays = frozenset(_paths_in_arrays(contract))
        self._plain = {column.path: plain for column in contract.columns() if (plain := _PLAIN.get(_kind(column)))}
        self._types = {column.path: decoded_type(column) for column in contract.columns()}
        self._times = frozenset(leaf.path for leaf in contract.columns() if leaf.type is FieldType.TIMESTAMP)
        self._seen: Counter[str] = Counter()
        self._learning = threading.Lock()
        self._readers = _Readers(contract)
        self._lane_rests = 0

    def decode(self, payloads: Sequence[bytes], refused: Mapping[int, RefusedError] | None = None) -> Decoded:
        """Decode every payload; one that cannot be accepted becomes a reject and the others go on.

        refused: as in Batch.
        """
        decoded = Decoded(np.arange(len(payloads), dtype=np.uint32), {})
        readers = self._readers
        plain = self._plain_events(payloads, readers.lane)
        if plain is None:
            decoded.kept, columns = self._each(payloads, decoded.kept, refused, decoded, readers.each)
            decoded.columns = columns | self._moments(columns)
        elif not len(plain.left):
            decoded.columns = self._complete(plain.columns(), len(payloads))
        else:
            others = [payloads[index] for index in plain.left]
            rest, columns = self._each(others, plain.left, refused, decoded, readers.each)
            decoded.kept, decoded.columns = self._together(plain, rest, columns)
        if plain is not None:
            for path, first in plain.undeclared.items():
                for row in np.flatnonzero(first).tolist():
                    decoded.unknown.append((int(plain.taken[row]), path, _raw_type(int(first[row]))))
        self._learn()
        return decoded

    def _plain_events(self, payloads: Sequence[bytes], lane: Lane) -> Plain | None:
        """What the compiled reader takes of a batch. It rests for a while where it leaves more than it takes."""
        if self._lane_rests:
            self._lane_rests -= 1
            return None
        plain = lane.read(payloads, self.contract.max_message_bytes)
        if plain is not None and len(plain.left) > len(plain.taken):
            self._lane_rests = LANE_RESTS
        return plain

    def _each(
        self,
        payloads: Sequence[bytes],
        indexes: npt.NDArray[np.uint32],
        refused: Mapping[int, RefusedError] | None,
        decoded: Decoded,
        reader: Reader,
    ) -> tuple[npt.NDArray[np.uint32], dict[str, pl.Series]]:
        """(indexes, columns) of the events that the typed decoder accepts, one at a time.

        indexes: of the payloads in the batch.
        """
        bad: list[int] = []

        def failed(place: int, payload: bytes, error: Exception) -> tuple[Any, ...] | None:
            index = int(indexes[place])
            if refused and (refusal := refused.get(index)):
                decoded.rejects.append(Reject(index, refusal.reason, refusal.field, refusal.words))
                bad.append(place)
                return None
            values = self._second_look(index, payload, error, decoded, reader)
            if values is None:
                bad.append(place)
            return values

        limit = self.contract.max_message_bytes
        oversize = max(map(len, payloads), default=0) > limit
        values = reader.read(payloads, failed, partial(self._bounded, reader) if oversize else None)
        kept = np.delete(indexes, bad) if bad else indexes
        layout = reader.layout
        columns = dict(zip(layout.declared, values, strict=False))
        for path, plain in self._plain.items():
            columns[path] = plain(columns[path])
        for path, column in zip(layout.learned, values[len(layout.declared) :], strict=True):
            for index, value in zip(kept.tolist(), column, strict=True):
                if isinstance(value, Raw):
                    decoded.unknown.append((index, path, _raw_type(bytes(value)[0])))
        return kept, {path: pl.Series(path, columns[path], dtype=kind) for path, kind in self._types.items()}

    def _complete(self, columns: dict[str, pl.Series], count: int) -> dict[str, pl.Series]:
        """The columns with those that no plain event has, all null."""
        for path, kind in self._types.items():
            if path not in columns:
                columns[path] = (
                    pl.Series(path, [None], dtype=kind).extend_constant(None, count - 1)
                    if count
                    else (pl.Series(path, [], dtype=kind))
                )
        return columns

    def _moments(self, columns: dict[str, pl.Series]) -> dict[str, pl.Series]:
        """The columns of times that hold nothing else, read; the text of others is needed to tell what is no time from
        what is absent."""
        read = {path: timestamps(columns[path]) for path in self._times}
        return {path: times for path, times in read.items() if times.null_count() == columns[path].null_count()}

    def _together(
        self, plain: Plain, rest: npt.NDArray[np.uint32], others: dict[str, pl.Series]
    ) -> tuple[npt.NDArray[np.uint32], dict[str, pl.Series]]:
        """(indexes, columns) of plain and other events in the order of the batch."""
        columns = self._complete(plain.columns(), len(plain.taken))
        if not len(rest):
            return plain.taken, columns
        moments = self._moments(others)
        for path in self._times:
            if columns[path].dtype == pl.String:
                continue
            if path in moments:
                others[path] = moments[path]
            else:
                columns[path] = plain.text(path)
        kept = np.concatenate([plain.taken, rest])
        order = np.argsort(kept, kind="stable")
        ordered = pl.Series(order.astype(np.uint32))
        return kept[order], {
            path: pl.concat([column, others[path]]).gather(ordered) for path, column in columns.items()
        }

    def _learn(self) -> None:
        """Build the reader anew for undeclared fields that were seen often: it reads over them at full speed."""
        with self._learning:
            learned = self._readers.learned
            frequent = sorted(path for path, count in self._seen.items() if count >= LEARN_AFTER)
            if room := frequent[: MOST_LEARNED - len(learned)]:
                self._readers = _Readers(self.contract, learned.union(room))
                self._seen.clear()

    def _bounded(self, reader: Reader, payload: bytes) -> Any:
        if len(payload) > self.contract.max_message_bytes:
            raise TooLargeError
        return reader.decode_strict(payload)

    def _second_look(
        self, index: int, payload: bytes, error: Exception, decoded: Decoded, reader: Reader
    ) -> tuple[Any, ...] | None:
        """The values of an event that was compressed or only had undeclared fields, else None and a reject."""
        squeezed = compressed(payload)
        if squeezed:
            try:
                payload = inflated(payload, self.contract.max_message_bytes)
            except RefusedError as refusal:
                decoded.rejects.append(Reject(index, refusal.reason, refusal.field, refusal.words))
                return None
        if squeezed or (isinstance(error, msgspec.ValidationError) and _UNKNOWN.match(str(error))):
            try:
                values = reader.spread_lenient(reader.decode_lenient(payload))
                unknown = list(_undeclared(payload, "", self._declared))
            except FAILURES as second:
                decoded.rejects.append(_reject(index, payload, second, self.contract))
            else:
                for parent, name, kind in dict.fromkeys(unknown):  # once an event, however many items have it
                    decoded.unknown.append((index, self._note_unknown(parent, name), kind))
                return values
        else:
            decoded.rejects.append(_reject(index, payload, error, self.contract))
        return None

    def _note_unknown(self, parent: str, name: str) -> str:
        """The path that an undeclared field is counted under; names that come often are learned."""
        if not _PLAIN_NAME.fullmatch(name):
            return f"{parent}.{OTHER}" if parent else OTHER
        path = f"{parent}.{name}" if parent else name
        with self._learning:
            learned = self._readers.learned
            room = len(learned) < MOST_LEARNED and (path in self._seen or len(self._seen) < MOST_SEEN)
            if room and path not in learned and parent not in self._in_arrays:
                self._seen[path] += 1
        return path


def _texts(maps: Sequence[dict[str, Any] | None]) -> list[str | None]:
    """Free-form objects as JSON text."""
    lines = _ENCODER.encode_lines(maps).decode().split("\n")
    return [None if value is None else line for value, line in zip(maps, lines, strict=False)]


_PLAIN: dict[str, Callable[[Sequence[Any]], Sequence[Any]]] = {"map": _texts, "objects": msgspec.to_builtins}
"""How decoded values become what a column can be made of, where they are not that already."""


def _kind(column: Field) -> str:
    if column.items is not None and column.items.type is FieldType.OBJECT:
        return "objects"
    return str(column.type)


def _paths_in_arrays(contract: Contract) -> Iterable[str]:
    """Paths of the objects that are an array's items, and of those below them."""
    for column in contract.columns():
        if column.items is not None:
            yield from (item.path for item in objects([column.items]))


def _raw_type(first: int) -> str:
    """The JSON type that begins with this byte."""
    return _JSON_TYPES.get(first, "number")


def _undeclared(
    document: bytes | Raw, parent: str, declared: dict[str, frozenset[str]]
) -> Iterable[tuple[str, str, str]]:
    """(parent path, name, JSON type) of every field that the contract does not declare.

    Values are not looked into: whether an event is accepted may not hang on whether its fields were learned by then.
    """
    for name, value in _OBJECT.decode(document).items():
        path = f"{parent}.{name}" if parent else name
        kind = _raw_type(bytes(value)[0])
        if name not in declared[parent]:
            yield parent, name, kind
        elif path in declared and kind == "object":
            yield from _undeclared(value, path, declared)
        elif path in declared and kind == "array":
            for item in _ARRAY.decode(value):
                yield from _undeclared(item, path, declared)


def _reject(index: int, payload: bytes, error: Exception, contract: Contract) -> Reject:
    if isinstance(error, TooLargeError):
        message = f"has {len(payload)} bytes, the contract allows {contract.max_message_bytes}"
        return Reject(index, Reason.TOO_LARGE, WHOLE, message)
    if isinstance(error, msgspec.ValidationError):
        return explain(index, str(error))
    if isinstance(error, RecursionError):
        return Reject(index, Reason.TOO_DEEP, WHOLE, "is nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        return Reject(index, Reason.INVALID_UTF8, _broken_text(payload, contract), "is no valid UTF-8")
    if not payload.strip():
        return Reject(index, Reason.EMPTY_MESSAGE, WHOLE, "is empty")
    try:
        payload.decode()
    except UnicodeDecodeError:
        return Reject(index, Reason.INVALID_UTF8, _broken_text(payload, contract), "is no valid UTF-8")
    position = re.search(r"\(byte (\d+)\)$", str(error))
    where = f" at byte {position[1]}" if position else ": it ends too early"
    return Reject(index, Reason.MALFORMED_JSON, WHOLE, f"is no valid JSON{where}")


def _broken_text(payload: bytes, contract: Contract) -> str:
    """Path of the first declared field whose text is no valid UTF-8, else `$`."""
    try:
        document = orjson.loads(payload.decode("utf-8", "replace"))
    except orjson.JSONDecodeError:
        return WHOLE
    for leaf in contract.leaves():
        value: Any = document
        for name in leaf.path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, str) and "�" in value:
            return leaf.path
    return WHOLE
