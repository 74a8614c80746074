"""A contract as tables of numbers: what the compiled reader follows."""

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from dataflow.compiled.views import Numbers
from dataflow.contract import Field, FieldType

MOST_FIELDS = 60
"""Fields of one object: a bit each in one machine word."""

MOST_DEPTH = 16
"""Objects in objects."""

_PLAIN = re.compile(r"[ !#-\[\]-~]+")
"""Names that stand in JSON as they are."""


class Kind(IntEnum):
    """What stands after a name. UNDECLARED: read over, its type noted. OTHER: left to the typed decoder."""

    OBJECT = 0
    STRING = 1
    INTEGER = 2
    NUMBER = 3
    BOOLEAN = 4
    MAP = 5
    TIMESTAMP = 6
    UNDECLARED = 7
    OTHER = 8


class Of(IntEnum):
    """The numbers that are kept of a field.

    SLOT: its row among the texts, whole numbers or floats. CHILD: an object's number; a time's row among the whole
    numbers; of other scalars the row that says whether they are present. NEEDED: 1 where null is no answer.
    LOW, HIGH: least and greatest whole number, or length of a text in characters. ALLOWED, ALLOWED_COUNT: an
    enumeration's texts. LABEL, LABEL_WORDS, LABEL_LENGTH: its name as it stands in compact JSON, `"name":`.
    """

    KIND = 0
    SLOT = 1
    CHILD = 2
    NEEDED = 3
    LOW = 4
    HIGH = 5
    ALLOWED = 6
    ALLOWED_COUNT = 7
    LABEL = 8
    LABEL_WORDS = 9
    LABEL_LENGTH = 10


class Tables(NamedTuple):
    """The fields of one object stand side by side. Few arrays: each is handed on at every call.

    keys: [field, Of]. bounds: [field, least and greatest float].
    labels: [word, text and mask]: names in words of eight bytes, the mask clears what lies behind.
    allowed: texts of enumerations end to end; spans: [text, start and length].
    objects: [object, first field, how many, a bit for each that has to be there].
    """

    keys: Numbers
    bounds: Numbers
    labels: Numbers
    allowed: Numbers
    spans: Numbers
    objects: Numbers


@dataclass
class Layout:
    """The tables, and the path that each slot is of.

    texts: rows of Values.start and .length. numbers: of .number. wholes: of .whole, path -> its row.
    present: path of a scalar or learned field -> its row of .present.
    """

    tables: Tables
    texts: list[str]
    numbers: list[str]
    times: dict[str, int]
    integers: dict[str, int]
    booleans: dict[str, int]
    present: dict[str, int]
    learned: list[str]

    @property
    def wholes(self) -> int:
        return len(self.times) + len(self.integers) + len(self.booleans)


@dataclass
class _Key:
    name: str
    kind: Kind
    slot: int = 0
    child: int = 0
    item: Field | None = None


def layout(fields: tuple[Field, ...], learned: Iterable[str]) -> Layout | None:
    """The tables of a contract; None when it is beyond what the compiled reader does."""
    draft = _Draft(sorted(learned))
    try:
        draft.add(fields, "", 1)
    except _BeyondError:
        return None
    return Layout(
        _tables(draft.objects),
        draft.texts,
        draft.numbers,
        draft.times,
        draft.integers,
        draft.booleans,
        draft.present,
        draft.learned,
    )


class _BeyondError(Exception):
    """Too many fields in an object, too deep, or a name that is no plain one."""


class _Draft:
    """The walk over a contract that hands out slots."""

    def __init__(self, learned: list[str]) -> None:
        self.objects: list[list[_Key]] = []
        self.texts: list[str] = []
        self.numbers: list[str] = []
        self.times: dict[str, int] = {}
        self.integers: dict[str, int] = {}
        self.booleans: dict[str, int] = {}
        self.present: dict[str, int] = {}
        self.learned: list[str] = []
        self._below = learned

    def add(self, fields: tuple[Field, ...], parent: str, depth: int) -> int:
        """An object's number."""
        undeclared = [path for path in self._below if path.rpartition(".")[0] == parent]
        names = [item.name for item in fields] + [path.rpartition(".")[2] for path in undeclared]
        if len(names) > MOST_FIELDS or depth > MOST_DEPTH or not all(map(_PLAIN.fullmatch, names)):
            raise _BeyondError
        keys: list[_Key] = []
        number = len(self.objects)
        self.objects.append(keys)
        for item in fields:
            keys.append(self._key(item, depth))
        for path in undeclared:
            self.learned.append(path)
            keys.append(_Key(path.rpartition(".")[2], Kind.UNDECLARED, self._presence(path)))
        return number

    def _key(self, item: Field, depth: int) -> _Key:
        match item.type:
            case FieldType.OBJECT:
                return _Key(item.name, Kind.OBJECT, child=self.add(item.children, item.path, depth + 1), item=item)
            case FieldType.STRING | FieldType.DATE:
                return _Key(item.name, Kind.STRING, self._text(item.path), item=item)
            case FieldType.MAP:
                return _Key(item.name, Kind.MAP, self._text(item.path), item=item)
            case FieldType.TIMESTAMP:
                slot = self._whole(item.path, self.times)
                return _Key(item.name, Kind.TIMESTAMP, self._text(item.path), slot, item)
            case FieldType.INTEGER:
                slot = self._whole(item.path, self.integers)
                return _Key(item.name, Kind.INTEGER, slot, self._presence(item.path), item)
            case FieldType.BOOLEAN:
                slot = self._whole(item.path, self.booleans)
                return _Key(item.name, Kind.BOOLEAN, slot, self._presence(item.path), item)
            case FieldType.NUMBER:
                self.numbers.append(item.path)
                return _Key(item.name, Kind.NUMBER, len(self.numbers) - 1, self._presence(item.path), item)
            case FieldType.ARRAY:
                return _Key(item.name, Kind.OTHER, item=item)

    def _text(self, path: str) -> int:
        self.texts.append(path)
        return len(self.texts) - 1

    def _whole(self, path: str, kind: dict[str, int]) -> int:
        kind[path] = len(self.times) + len(self.integers) + len(self.booleans)
        return kind[path]

    def _presence(self, path: str) -> int:
        return self.present.setdefault(path, len(self.present))


def _tables(objects: list[list[_Key]]) -> Tables:
    keys = [key for members in objects for key in members]
    labels = [f'"{key.name}":'.encode() for key in keys]
    padded = [label.ljust(-(-len(label) // 8) * 8, b"\0") for label in labels]
    masks = [(b"\xff" * len(label)).ljust(len(pad), b"\0") for label, pad in zip(labels, padded, strict=True)]
    words = [len(pad) // 8 for pad in padded]
    enumerations = [_enumeration(key) for key in keys]
    allowed = [text.encode() for texts in enumerations for text in texts]
    limits = [_limits(key) for key in keys]
    rows = zip(keys, limits, _starts(map(len, enumerations)), enumerations, _starts(words), words, labels, strict=True)
    table = [
        (key.kind, key.slot, key.child, _needed(key), low, high, first, len(texts), label, count, len(name))
        for key, (low, high, _, _), first, texts, label, count, name in rows
    ]
    sizes = list(map(len, objects))
    shapes = zip(_starts(sizes), sizes, map(_required, objects), strict=True)
    pairs = (np.frombuffer(b"".join(part), "<u8") for part in (padded, masks))
    spans = list(zip(_starts(map(len, allowed)), map(len, allowed), strict=True))
    return Tables(
        keys=np.array(table, np.int64).reshape(-1, len(Of)),
        bounds=np.array([limit[2:] for limit in limits], np.float64).reshape(-1, 2),
        labels=np.ascontiguousarray(np.stack(list(pairs), axis=1)),
        allowed=np.frombuffer(b"".join(allowed) + b"\0", np.uint8).copy(),
        spans=np.array(spans, np.int64).reshape(-1, 2),
        objects=np.array(list(shapes), np.int64).reshape(-1, 3),
    )


def _starts(lengths: Iterable[int]) -> list[int]:
    return [0, *itertools.accumulate(lengths)][:-1]


def _needed(key: _Key) -> bool:
    return key.item is not None and key.item.required


def _required(members: list[_Key]) -> int:
    return sum(1 << place for place, key in enumerate(members) if _needed(key))


def _enumeration(key: _Key) -> tuple[str, ...]:
    return key.item.constraints.values if key.item is not None and key.kind is Kind.STRING else ()


def _limits(key: _Key) -> tuple[int, int, float, float]:
    """Least and greatest of whole numbers or of characters, least and greatest of floats."""
    low, high, lowest, highest = -(2**63), 2**63 - 1, -np.inf, np.inf
    if key.item is None:
        return low, high, lowest, highest
    limits = key.item.constraints
    if key.kind is Kind.INTEGER:
        low = low if limits.minimum is None else max(low, int(limits.minimum))
        high = high if limits.maximum is None else min(high, int(limits.maximum))
    elif key.kind is Kind.NUMBER:
        lowest = lowest if limits.minimum is None else float(limits.minimum)
        highest = highest if limits.maximum is None else float(limits.maximum)
    elif key.kind is Kind.STRING and not limits.values:
        low = low if limits.min_length is None else limits.min_length
        high = high if limits.max_length is None else limits.max_length
    return low, high, lowest, highest
