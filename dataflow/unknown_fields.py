"""Unknown fields: rows of `operations.unknown_fields` for what events carry and no contract declares."""

from collections import Counter
from collections.abc import Iterable

import polars as pl

from dataflow.contract import Contract
from dataflow.schemas import unknown_field_table


def unknown_field_rows(unknown: Iterable[tuple[str, str]], contract: Contract, newest: int) -> pl.DataFrame:
    """Rows of the unknown-field table, without `batch_id`, one for each path and type.

    unknown: (path, JSON type), once for every event that has it; never a value.
    newest: when the newest message of the batch was accepted, microseconds.
    """
    counts = Counter(unknown)
    schema = {name: kind for name, kind in unknown_field_table().polars().items() if name != "batch_id"}
    frame = pl.DataFrame(
        {
            "stream": [contract.stream] * len(counts),
            "field": [path for path, _ in counts],
            "type": [kind for _, kind in counts],
            "events": list(counts.values()),
            "contract_version": [contract.version] * len(counts),
            "receive_time": [newest] * len(counts),
        },
        schema_overrides={"events": pl.Int64(), "receive_time": pl.Int64()},
    )
    return frame.cast({name: kind for name, kind in schema.items() if name != "receive_time"}).with_columns(
        pl.col("receive_time").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    )
