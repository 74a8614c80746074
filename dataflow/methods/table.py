"""The table of methods in README.md, from the classes: `python -m dataflow.methods.table` writes it anew."""

import types
import typing
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dataflow.methods import BUILT_IN, Method
from dataflow.methods.base import ANY

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- begin: table -->", "<!-- end: table -->"


def table() -> str:
    """One row a built-in method: input, output, parameters with what they may be, reversible, leaks, lane."""
    rows = [
        "| method | in | out | parameters | reversible | leaks | lane |",
        "|---|---|---|---|---|---|---|",
    ]
    for method in BUILT_IN:
        cells = (
            f"`{method.name}`",
            "any" if method.accepts >= ANY else ", ".join(sorted(method.accepts)),
            _output(method),
            "; ".join(_parameters(method)),
            "yes" if method.reversible else "no",
            method.leaks,
            method.lane,
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def refreshed(text: str) -> str:
    """A README's text with the table between its marks made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _output(method: type[Method]) -> str:
    if method.name == "drop":
        return "nothing"
    return "the same" if method.output is None else str(method.output).lower()


def _parameters(method: type[Method]) -> Iterator[str]:
    hints = typing.get_type_hints(method, include_extras=True)
    for field in msgspec.structs.fields(method):
        default = "" if field.default in (msgspec.NODEFAULT, None, ()) else f" ({field.default})"
        yield f"`{field.name}` {_allowed(hints[field.name])}".rstrip() + default


def _allowed(hint: object) -> str:
    """What a parameter may be, in words: `0 to 24`, `day, hour`."""
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        meta = typing.get_args(hint)[1]
        low = f"above {meta.gt:g}" if meta.gt is not None else "" if meta.ge is None else f"{meta.ge:g}"
        high = "" if meta.le is None or meta.le >= 1e12 else f"to {meta.le:g}"
        return " ".join(part for part in (low if high or meta.gt is not None else "", high) if part)
    if origin is typing.Literal:
        return ", ".join(map(str, typing.get_args(hint)))
    if origin in (types.UnionType, typing.Union):
        return next((words for part in typing.get_args(hint) if (words := _allowed(part))), "")
    return ""


if __name__ == "__main__":
    README.write_text(refreshed(README.read_text(encoding="utf-8")), encoding="utf-8")
