"""Anonymized columns in memory of their own.

A column of texts is views into bytes; replacing or filtering rows leaves the bytes of the old ones behind it, unseen by
who asks for values, but written out by who writes the column's buffers (Arrow's IPC does). What goes through the
curtain leaves them behind.

Layout: https://arrow.apache.org/docs/format/Columnar.html#variable-size-binary-view-layout
"""

from collections.abc import Iterable

import polars as pl


def apart(frame: pl.DataFrame, shared: Iterable[str]) -> pl.DataFrame:
    """The frame with the texts of these columns copied: each into bytes that hold its values and nothing else."""
    return frame.with_columns(_copied(frame[name]) for name in shared if _has_text(frame.schema[name]))


def _copied(column: pl.Series) -> pl.Series:
    copied = pl.from_arrow(column.to_arrow(compat_level=pl.CompatLevel.oldest()))
    assert isinstance(copied, pl.Series)
    return copied.alias(column.name)


def _has_text(kind: pl.DataType) -> bool:
    if isinstance(kind, pl.List):
        return _has_text(kind.inner)  # type: ignore[arg-type]
    if isinstance(kind, pl.Struct):
        return any(_has_text(field.dtype) for field in kind.fields)  # type: ignore[arg-type]
    return kind in (pl.String(), pl.Binary())
