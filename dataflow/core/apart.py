"""Anonymized columns in memory of their own.

A column of texts is views into bytes; replacing or filtering rows leaves the bytes of the old ones behind it, and a
column of any kind may hold a value still that was made null. Who asks for values does not see them, but who writes the
column's buffers (Arrow's IPC does) writes them out. What goes through the curtain leaves them behind.

Layout: https://arrow.apache.org/docs/format/Columnar.html#variable-size-binary-view-layout
"""

import numpy as np
import polars as pl


def apart(column: pl.Series) -> pl.Series:
    """The column, copied where it may hide something: a copy holds its values and nothing else."""
    if not _may_hide(column):
        return column
    array = column.to_arrow(compat_level=pl.CompatLevel.oldest())
    if column.null_count() or column.dtype.is_nested():
        array = array.take(np.arange(len(array)))  # takes no value that is null, at any depth
    return pl.Series(column.name, array)


def _may_hide(column: pl.Series) -> bool:
    return column.dtype in (pl.String(), pl.Binary()) or column.dtype.is_nested() or column.null_count() > 0
