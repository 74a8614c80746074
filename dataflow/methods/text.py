"""Free text, scrubbed of what can be recognized. Names and addresses are not: free text is dropped unless
allow-listed."""

import re

import polars as pl

from dataflow.contract import Classification, Field
from dataflow.methods.base import PERSONAL, TEXT, Context, Method

PATTERNS = (
    ("<EMAIL>", r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}"),
    ("<IP>", r"\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b"),
    ("<IP>", r"\b(?:[0-9A-Fa-f]{1,4}:){3,7}[0-9A-Fa-f]{1,4}\b"),
    ("<NUMBER>", r"\+?[0-9](?:[ ().-]{0,2}[0-9]){6,}"),
)
"""(tag, pattern), in this order. The last takes telephone, card and My Number alike: seven digits or more with
separators.

The patterns mean the same to Rust's regex and to Python's `re` (ASCII classes, no look-around)."""


SUSPECT = "[@:0-9]"
"""What every match of PATTERNS has at least one of. Most texts have none and are passed over with one cheap look."""


class Scrub(Method, frozen=True):
    """Text with e-mail addresses, IP addresses and long numbers replaced by a tag. String in, string out.

    Leaks whatever else was written: names, streets, stories.
    """

    name = "scrub"
    accepts = TEXT
    leaks = "everything that is no e-mail address, IP address or long number"
    unfit_for = PERSONAL - {Classification.FREE_TEXT}

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        return column.map_batches(_scrub, return_dtype=pl.String)

    def reference(self, value: object, field: Field, context: Context) -> str:
        text = str(value)
        for tag, pattern in PATTERNS:
            text = re.sub(pattern, tag, text, flags=re.ASCII)
        return text


def _scrub(texts: pl.Series) -> pl.Series:
    suspect = texts.str.contains(SUSPECT).fill_null(False)
    if not suspect.any():
        return texts
    scrubbed = texts.filter(suspect)
    for tag, pattern in PATTERNS:
        scrubbed = scrubbed.str.replace_all(pattern, tag)
    return texts.scatter(suspect.arg_true(), scrubbed)
