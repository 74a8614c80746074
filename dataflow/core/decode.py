"""Typed decode, one event at a time, into columns.

Readers of whole batches are wrong for governance: one malformed line fails the batch, types change silently, a missing
required field passes. msgspec checks each event against a type made from the contract and says where it fails.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Annotated, Any, Literal

import msgspec
import orjson
from msgspec import UNSET, Meta, Raw, UnsetType

from dataflow.contract import Contract, Field, FieldType
from dataflow.core.rejects import WHOLE, Reason, Reject, explain

INT64 = Meta(ge=-(2**63), le=2**63 - 1)

OTHER = "<other>"
"""Stands for an undeclared field's name that may itself be data, such as an account number used as a key."""

_PLAIN_NAME = re.compile(r"[A-Za-z_](?!.*\d{4})[A-Za-z0-9_-]{0,39}")
_UNKNOWN = re.compile(r"^Object contains unknown field ")

LEARN_AFTER = 32
"""Events with an undeclared field after which the decoder is built anew to read over it at full speed."""

MOST_LEARNED = 64

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
    columns: path of every declared value -> one Python value a row, None where absent. Timestamps and dates are
    text still.
    unknown: (index in the batch, path, JSON type) of every undeclared field of an accepted event.
    """

    kept: Sequence[int]
    columns: dict[str, Sequence[Any]]
    rejects: list[Reject] = field(default_factory=list)
    unknown: list[tuple[int, str, str]] = field(default_factory=list)


class Decoder:
    """Decodes the JSON events of one contract."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._lenient = msgspec.json.Decoder(_struct(contract.fields, "", frozenset(), strict=False)).decode
        self._declared = {"": frozenset(item.name for item in contract.fields)} | {
            item.path: frozenset(child.name for child in item.children) for item in _objects(contract.fields)
        }
        self._seen: Counter[str] = Counter()
        self._learn(frozenset())

    def _learn(self, extra: frozenset[str]) -> None:
        """Build the strict decoder; `extra` are undeclared paths that it reads over instead of stumbling on."""
        self._extra = extra
        self._strict = msgspec.json.Decoder(_struct(self.contract.fields, "", extra, strict=True)).decode
        self._absent = {item.path: _absent(item, extra) for item in _objects(self.contract.fields)}

    def decode(self, payloads: Sequence[bytes]) -> Decoded:
        """Decode every payload; one that cannot be accepted becomes a reject and the others go on."""
        decoded = Decoded(range(len(payloads)), {})
        rows: list[Any] = []
        append, strict = rows.append, self._strict
        bad: list[int] = []
        limit = self.contract.max_message_bytes
        check_size = any(len(payload) > limit for payload in payloads)
        for index, payload in enumerate(payloads):
            if check_size and len(payload) > limit:
                message = f"has {len(payload)} bytes, the contract allows {limit}"
                decoded.rejects.append(Reject(index, Reason.TOO_LARGE, WHOLE, message))
                bad.append(index)
                continue
            try:
                append(strict(payload))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                row = self._second_look(index, payload, error, decoded)
                if row is None:
                    bad.append(index)
                else:
                    append(row)
        if bad:
            keep = bytearray(b"\1") * len(payloads)
            for index in bad:
                keep[index] = 0
            decoded.kept = list(compress(range(len(payloads)), keep))
        self._unpack(decoded, self.contract.fields, "", rows)
        frequent = [path for path, count in self._seen.items() if count >= LEARN_AFTER and path not in self._extra]
        if frequent:
            self._learn(self._extra | frozenset(frequent[: MOST_LEARNED - len(self._extra)]))
            self._seen.clear()
        return decoded

    def _second_look(self, index: int, payload: bytes, error: Exception, decoded: Decoded) -> Any:
        """The row of an event that only had undeclared fields, else None and a reject."""
        if isinstance(error, msgspec.ValidationError) and _UNKNOWN.match(str(error)):
            try:
                row = self._lenient(payload)
                self._note_unknown(index, orjson.loads(payload), decoded)
            except orjson.JSONDecodeError:
                decoded.rejects.append(Reject(index, Reason.TOO_DEEP, WHOLE, "is nested too deeply"))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as second:
                decoded.rejects.append(_reject(index, payload, second, self.contract))
            else:
                return row
        else:
            decoded.rejects.append(_reject(index, payload, error, self.contract))
        return None

    def _note_unknown(self, index: int, document: dict[str, Any], decoded: Decoded) -> None:
        for parent, name, value in _undeclared(document, "", self._declared):
            path = f"{parent}.{name}" if parent else name
            if _PLAIN_NAME.fullmatch(name):
                if path not in self._extra and len(self._extra) < MOST_LEARNED:
                    self._seen[path] += 1
            else:
                path = f"{parent}.{OTHER}" if parent else OTHER
            decoded.unknown.append((index, path, _json_type(value)))

    def _unpack(self, decoded: Decoded, fields: tuple[Field, ...], parent: str, rows: list[Any]) -> None:
        """Spread structs into one tuple of values a declared path, depth first."""
        extra = _below(self._extra, parent)
        width = len(fields) + len(extra)
        values: Iterable[Any] = zip(*map(msgspec.structs.astuple, rows), strict=True) if rows else [()] * width
        names = [(item, item.path) for item in _order(fields)] + [(None, path) for path in extra]
        for (item, path), column in zip(names, values, strict=False):
            if item is None:
                for index, value in zip(decoded.kept, column, strict=True):
                    if isinstance(value, Raw):
                        decoded.unknown.append((index, path, _raw_type(bytes(value)[0])))
            elif item.type is FieldType.OBJECT:
                absent = self._absent[item.path]
                self._unpack(
                    decoded, item.children, item.path, [absent if value is None else value for value in column]
                )
            else:
                decoded.columns[path] = column


def _raw_type(first: int) -> str:
    """The JSON type that begins with this byte."""
    return _JSON_TYPES.get(first, "number")


def _json_type(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "string" if isinstance(value, str) else "number"


def _objects(fields: tuple[Field, ...]) -> Iterable[Field]:
    for item in fields:
        if item.type is FieldType.OBJECT:
            yield item
            yield from _objects(item.children)


def _undeclared(value: Any, path: str, declared: dict[str, frozenset[str]]) -> Iterable[tuple[str, str, Any]]:
    """(parent path, name, value) of every field that the contract does not declare."""
    if not isinstance(value, dict) or path not in declared:
        return
    for name, child in value.items():
        if name in declared[path]:
            yield from _undeclared(child, f"{path}.{name}" if path else name, declared)
        else:
            yield path, name, child


def _below(extra: frozenset[str], parent: str) -> list[str]:
    """The undeclared paths directly below `parent`, sorted."""
    return sorted(path for path in extra if path.rpartition(".")[0] == parent)


def _order(fields: tuple[Field, ...]) -> list[Field]:
    """Required fields first: a struct's optional fields follow its required ones."""
    return [item for item in fields if item.required] + [item for item in fields if not item.required]


def _struct(fields: tuple[Field, ...], parent: str, extra: frozenset[str], *, strict: bool) -> type[msgspec.Struct]:
    """A msgspec type for an object's fields. Attributes are numbered: a field's name may be a Python keyword."""
    ordered = _order(fields)
    paths = _below(extra, parent) if strict else []
    specification: list[Any] = []
    rename: dict[str, str] = {}
    for number, item in enumerate(ordered):
        rename[f"f{number}"] = item.name
        kind = _type(item, extra, strict=strict)
        specification.append((f"f{number}", kind) if item.required else (f"f{number}", kind | None, None))
    for number, path in enumerate(paths):
        rename[f"x{number}"] = path.rpartition(".")[2]
        specification.append((f"x{number}", Raw | UnsetType, UNSET))
    return msgspec.defstruct("object", specification, rename=rename, forbid_unknown_fields=strict, gc=False)


def _absent(item: Field, extra: frozenset[str]) -> msgspec.Struct:
    """What stands for an absent object: as many attributes, all None."""
    width = len(item.children) + len(_below(extra, item.path))
    return msgspec.defstruct("absent", [(f"f{number}", Any, None) for number in range(width)])()


def _type(item: Field, extra: frozenset[str], *, strict: bool) -> Any:
    limits = item.constraints
    match item.type:
        case FieldType.OBJECT:
            return _struct(item.children, item.path, extra, strict=strict)
        case FieldType.STRING if limits.values:
            return Literal[limits.values]
        case FieldType.STRING:
            if limits.min_length is None and limits.max_length is None:
                return str
            return Annotated[str, Meta(min_length=limits.min_length, max_length=limits.max_length)]
        case FieldType.INTEGER:
            low = -(2**63) if limits.minimum is None else int(limits.minimum)
            high = 2**63 - 1 if limits.maximum is None else int(limits.maximum)
            return Annotated[int, Meta(ge=low, le=high)]
        case FieldType.NUMBER:
            if limits.minimum is None and limits.maximum is None:
                return float
            return Annotated[float, Meta(ge=limits.minimum, le=limits.maximum)]
        case FieldType.BOOLEAN:
            return bool
        case FieldType.TIMESTAMP | FieldType.DATE:
            return str


def _reject(index: int, payload: bytes, error: Exception, contract: Contract) -> Reject:
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
