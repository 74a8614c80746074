"""Rows as JSON, in the JSON form of Protocol Buffers that the schema of the anonymized topic declares."""

import polars as pl
import pyarrow as pa


def json_rows(rows: pl.DataFrame) -> pa.LargeBinaryArray:
    """One JSON object a row: times as RFC 3339 text, bytes as base64, a null as null."""
    shown = pl.struct(_shown(pl.col(name), kind).alias(name) for name, kind in rows.schema.items())
    made = rows.select(shown.struct.json_encode().cast(pl.Binary)).to_series().rechunk()
    return made.to_arrow(compat_level=pl.CompatLevel.oldest())


def _shown(value: pl.Expr, kind: object) -> pl.Expr:
    if isinstance(kind, pl.Binary):
        return value.bin.encode("base64")  # polars cannot write bytes as JSON
    if isinstance(kind, pl.List):
        return value.list.eval(_shown(pl.element(), kind.inner)) if _has_bytes(kind) else value
    if isinstance(kind, pl.Struct) and _has_bytes(kind):
        fields = [_shown(value.struct.field(field.name), field.dtype).alias(field.name) for field in kind.fields]
        return pl.when(value.is_not_null()).then(pl.struct(fields))
    return value


def _has_bytes(kind: object) -> bool:
    if isinstance(kind, pl.Struct):
        return any(_has_bytes(field.dtype) for field in kind.fields)
    return _has_bytes(kind.inner) if isinstance(kind, pl.List) else isinstance(kind, pl.Binary)
