"""Free-form objects: JSON text in, JSON text out."""

from collections.abc import Iterator
from typing import Any

import msgspec
import polars as pl

from dataflow.contract import Classification, Field, FieldType
from dataflow.methods.base import Context, Function, Method
from dataflow.methods.text import Scrub

_DECODER = msgspec.json.Decoder()
_ENCODER = msgspec.json.Encoder()


class ScrubMap(Method, frozen=True):
    """A free-form object with every string in it scrubbed, at any depth. Map in, string (JSON text) out.

    drop: keys that go with their values, at the top level.
    Numbers, booleans and keys stay as they are. A key may be data itself, such as an account number or an e-mail
    address: where publishers use such keys the map has to be dropped, or its fields declared.
    Not reversible. Leaks keys, numbers, and what scrub leaks. Lane: pseudonymized.
    """

    name = "scrub_map"
    accepts = frozenset({FieldType.MAP})
    output = FieldType.STRING
    leaks = "keys, numbers, and everything in strings that scrub does not know"
    unfit_for = frozenset({Classification.IDENTIFIER, Classification.LOCATION, Classification.NETWORK})

    drop: tuple[str, ...] = ()

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        return column.map_batches(self.function(field, context), return_dtype=pl.String)

    def function(self, field: Field, context: Context) -> Function:
        strings = Scrub().function(field, context)
        return lambda texts: self._scrubbed(texts, strings)

    def reference(self, value: object, field: Field, context: Context) -> str:
        document = _DECODER.decode(str(value))
        for key in self.drop:
            document.pop(key, None)
        return _ENCODER.encode(_rebuilt(document, lambda text: Scrub().reference(text, field, context))).decode()

    def _scrubbed(self, texts: pl.Series, strings: Function) -> pl.Series:
        from dataflow.methods.loops.suspects import maps

        plain, suspects = maps(texts, self.drop)
        if not len(suspects):
            return plain
        chosen = pl.Series(suspects)
        return plain.scatter(chosen, self._walked(texts.gather(chosen), strings))

    def _walked(self, texts: pl.Series, strings: Function) -> pl.Series:
        """The same, value by value."""
        documents = _DECODER.decode_lines("\n".join(texts.to_list()))
        for key in self.drop:
            for document in documents:
                document.pop(key, None)
        places = [place for document in documents for place in _strings(document)]
        before = pl.Series("text", [holder[key] for holder, key in places], dtype=pl.String)
        after = strings(before.clone())
        changed = (before != after).arg_true()
        for place, text in zip(changed.to_list(), after.gather(changed).to_list(), strict=True):
            holder, key = places[place]
            holder[key] = text
        return pl.Series(texts.name, _ENCODER.encode_lines(documents).decode().split("\n")[:-1], dtype=pl.String)


def _strings(holder: Any) -> Iterator[tuple[Any, Any]]:
    """(object or array, key or index) of every string below."""
    for key, value in holder.items() if type(holder) is dict else enumerate(holder):
        kind = type(value)
        if kind is str:
            yield holder, key
        elif kind is dict or kind is list:
            yield from _strings(value)


def _rebuilt(value: Any, scrub: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {key: _rebuilt(inner, scrub) for key, inner in value.items()}
    return [_rebuilt(inner, scrub) for inner in value] if isinstance(value, list) else value
