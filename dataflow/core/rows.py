"""Row types of a contract, and readers that spread decoded events into flat lists of values.

A reader is written as source text for the contract at hand and compiled once: straight-line attribute access while
the event is hot in the cache takes half the time of walking the fields (`dataclasses` does the same for `__init__`).
The text holds numbers only, never a name from a contract.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from dataflow.contract import Field, FieldType


class TooLargeError(Exception):
    """The payload is longer than the contract allows."""


FAILURES = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TooLargeError)
"""What a decoder raises for an event that cannot be accepted."""

type Failed = Callable[[int, bytes, Exception], tuple[Any, ...] | None]
"""(index, payload, error) -> the event's values after all, or None."""


@dataclass(frozen=True)
class Layout:
    """The order of values in a flat row: the declared leaves, then the learned undeclared fields."""

    declared: tuple[str, ...]
    learned: tuple[str, ...]

    @property
    def width(self) -> int:
        return len(self.declared) + len(self.learned)


class Reader:
    """Reads events of one contract.

    learned: paths of undeclared fields that are read over, as msgspec.Raw or UNSET, instead of stumbled on.
    """

    def __init__(self, fields: tuple[Field, ...], learned: frozenset[str]) -> None:
        strict = _Spread(fields, learned, strict=True)
        lenient = _Spread(fields, learned, strict=False)
        self.layout = Layout(tuple(strict.declared), tuple(strict.learned))
        self.decode_strict = msgspec.json.Decoder(_struct(fields, "", learned, strict=True)).decode
        self.decode_lenient = msgspec.json.Decoder(_struct(fields, "", learned, strict=False)).decode
        self._read = strict.loop()
        self.spread_lenient = lenient.function()
        """The flat row of an event of the lenient type; its learned fields count as unset."""

    def read(
        self, payloads: Sequence[bytes], failed: Failed, decode: Callable[[bytes], Any] | None = None
    ) -> list[Sequence[Any]]:
        """The values of all events that are accepted, one sequence a place of the layout.

        decode: in place of the strict decoder, to check more.
        failed: is asked about each event that the decoder refuses.
        """
        flat: list[Any] = []
        self._read(payloads, decode or self.decode_strict, flat.extend, failed, FAILURES)
        return [flat[place :: self.layout.width] for place in range(self.layout.width)]


class _Spread:
    """Writes the statements that spread one decoded event."""

    def __init__(self, fields: tuple[Field, ...], learned: frozenset[str], *, strict: bool) -> None:
        self._all_learned = learned
        self._strict = strict
        self._absent: list[Any] = []
        self._lines: list[str] = []
        self._objects = 0
        self._values: list[str] = []
        self._raw: list[str] = []
        self.declared: list[str] = []
        self.learned: list[str] = []
        self._walk(fields, "", "row")

    def _walk(self, fields: tuple[Field, ...], parent: str, variable: str) -> None:
        for number, item in enumerate(_order(fields)):
            value = f"{variable}.f{number}"
            if item.type is FieldType.OBJECT:
                self._objects += 1
                inner = f"o{self._objects}"
                self._lines.append(f"{inner} = {value}")
                if not item.required:
                    self._lines.append(f"if {inner} is None: {inner} = absent[{len(self._absent)}]")
                    self._absent.append(_absent(item, self._all_learned))
                self._walk(item.children, item.path, inner)
            else:
                self.declared.append(item.path)
                self._values.append(value)
        for number, path in enumerate(_below(self._all_learned, parent)):
            self.learned.append(path)
            self._raw.append(f"{variable}.x{number}" if self._strict else "unset")

    def _tuple(self) -> str:
        return f"({', '.join([*self._values, *self._raw])},)"

    def loop(self) -> Callable[..., None]:
        body = "\n        ".join(self._lines)
        return self._compile(
            f"""
def made(payloads, decode, extend, failed, failures):
    for index, payload in enumerate(payloads):
        try:
            row = decode(payload)
        except failures as error:
            values = failed(index, payload, error)
            if values is not None:
                extend(values)
            continue
        {body}
        extend({self._tuple()})
"""
        )

    def function(self) -> Callable[[Any], tuple[Any, ...]]:
        body = "\n    ".join(self._lines)
        return self._compile(f"def made(row):\n    {body}\n    return {self._tuple()}\n")

    def _compile(self, source: str) -> Callable[..., Any]:
        scope: dict[str, Any] = {"absent": self._absent, "unset": UNSET}
        exec(compile(source, "<reader of a contract>", "exec"), scope)  # noqa: S102  (our own text: numbers only)
        made: Callable[..., Any] = scope["made"]
        return made


def objects(fields: Iterable[Field]) -> Iterable[Field]:
    """Every object among the fields, at any depth, those inside arrays too."""
    for item in fields:
        if item.items is not None:
            yield from objects([item.items])
        elif item.type is FieldType.OBJECT:
            yield item
            yield from objects(item.children)


def _below(learned: frozenset[str], parent: str) -> list[str]:
    """The learned paths directly below `parent`, sorted."""
    return sorted(path for path in learned if path.rpartition(".")[0] == parent)


def _order(fields: tuple[Field, ...]) -> list[Field]:
    """Required fields first: a struct's optional fields follow its required ones."""
    return [item for item in fields if item.required] + [item for item in fields if not item.required]


def _struct(fields: tuple[Field, ...], parent: str, learned: frozenset[str], *, strict: bool) -> type[msgspec.Struct]:
    """A msgspec type for an object's fields. Attributes are numbered: a field's name may be a Python keyword."""
    specification: list[Any] = []
    rename: dict[str, str] = {}
    for number, item in enumerate(_order(fields)):
        rename[f"f{number}"] = item.name
        kind = _type(item, learned, strict=strict)
        specification.append((f"f{number}", kind) if item.required else (f"f{number}", kind | None, None))
    for number, path in enumerate(_below(learned, parent) if strict else []):
        rename[f"x{number}"] = path.rpartition(".")[2]
        specification.append((f"x{number}", Raw | UnsetType, UNSET))
    return msgspec.defstruct("object", specification, rename=rename, forbid_unknown_fields=strict, gc=False)


def _absent(item: Field, learned: frozenset[str]) -> msgspec.Struct:
    """What stands for an absent object: the same attributes, None, and no undeclared ones."""
    values: list[Any] = [(f"f{number}", Any, None) for number in range(len(item.children))]
    for number, child in enumerate(_order(item.children)):
        if child.type is FieldType.OBJECT:
            values[number] = (f"f{number}", Any, _absent(child, learned))
    unset = [(f"x{number}", Any, UNSET) for number in range(len(_below(learned, item.path)))]
    return msgspec.defstruct("absent", [*values, *unset], frozen=True)()


def _type(item: Field, learned: frozenset[str], *, strict: bool) -> Any:
    limits = item.constraints
    match item.type:
        case FieldType.OBJECT:
            return _struct(item.children, item.path, learned, strict=strict)
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
        case FieldType.MAP:
            return dict[str, Any]
        case FieldType.ARRAY:
            assert item.items is not None
            array = list.__class_getitem__(_type(item.items, frozenset(), strict=strict))
            return Annotated[array, Meta(min_length=limits.min_length, max_length=limits.max_length)]
