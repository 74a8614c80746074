"""Compile every inner loop now: `python -m dataflow.warm`. They are kept on disk, beside their sources."""

import numpy as np
import polars as pl
import pyarrow as pa

from dataflow.contract import Constraints, Field, FieldType
from dataflow.core.plain import Lane
from dataflow.core.times import timestamps
from dataflow.keys.hashing import states, tokens
from dataflow.methods.loops.networks import networks
from dataflow.methods.loops.suspects import maps, suspects
from dataflow.methods.loops.versions import reduced
from dataflow.operators.keys import words_of
from dataflow.operators.seen import Seen, first_of_each
from dataflow.outputs.wire import requests
from dataflow.sources.wire import read, repeated


def main() -> None:
    text = pl.Series(["1.2.3.4"])
    plain = Lane((Field("a", "a", FieldType.STRING, False, None, "", Constraints()),), ()).read([b'{"a":"b"}'], 100)
    assert plain is not None
    plain.columns()
    timestamps(text)
    tokens(text, states(b""))
    networks(text, 24)
    reduced(text, 1)
    suspects(text)
    maps(pl.Series(["{}"]), ())
    keys = words_of(text)
    seen = Seen()
    seen.add(keys, np.zeros(1, np.int32))
    first_of_each(keys, seen.contains(keys))
    read(b"", "")
    repeated(1, text)
    list(requests("", pa.array([b"a"], pa.large_binary()), {}, messages=1, size=1))


if __name__ == "__main__":
    main()
