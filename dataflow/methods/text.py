"""Free text, scrubbed of what can be recognized. Names and addresses are not: free text is dropped unless
allow-listed."""

import re
import unicodedata

import polars as pl

from dataflow.contract import Classification, Field
from dataflow.methods.base import PERSONAL, TEXT, Context, Method

_HEX = "[0-9A-Fa-f]{1,4}"

PATTERNS = (
    ("<EMAIL>", r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}"),
    ("<IP>", r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}"),
    (
        "<IP>",
        rf"(?:{_HEX}:){{1,6}}(?::{_HEX}){{1,6}}|::(?:{_HEX}:){{0,6}}{_HEX}|(?:{_HEX}:){{3,7}}{_HEX}|(?:{_HEX}:){{2,7}}:",
    ),
    ("<NUMBER>", r"\+?[0-9](?:[ ()./_\u2010-\u2015\u2212\u30fc-]{0,3}[0-9]){6,}"),
)
"""(tag, pattern), in this order, for text in NFKC. The last takes telephone, card and My Number alike: seven digits or
more with separators, among them the dashes that people write.

The patterns mean the same to Rust's regex and to Python's `re`: ASCII classes, no look-around, and no word ends, for a
Japanese letter beside an address is a letter to the one and not to the other."""

SUSPECT = r"[@:0-9]|[^\x00-\x7f]"
"""What every match of PATTERNS has at least one of, and every text that NFKC changes. Most texts have none and are
passed over with one cheap look."""


class Scrub(Method, frozen=True):
    """Text with e-mail addresses, IP addresses and long numbers replaced by a tag. String in, string out.

    It is brought to Unicode's NFKC first: １２３ and 123 are one number to a reader.
    Leaks whatever else was written: names, streets, stories.
    """

    name = "scrub"
    accepts = TEXT
    leaks = "everything that is no e-mail address, IP address or long number"
    unfit_for = PERSONAL - {Classification.FREE_TEXT}

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        return column.map_batches(_scrub, return_dtype=pl.String)

    def reference(self, value: object, field: Field, context: Context) -> str:
        text = unicodedata.normalize("NFKC", str(value))
        for tag, pattern in PATTERNS:
            text = re.sub(pattern, tag, text)
        return text


def _scrub(texts: pl.Series) -> pl.Series:
    suspect = texts.str.contains(SUSPECT).fill_null(False)
    if not suspect.any():
        return texts
    scrubbed = texts.filter(suspect).str.normalize("NFKC")
    for tag, pattern in PATTERNS:
        scrubbed = scrubbed.str.replace_all(pattern, tag)
    return texts.scatter(suspect.arg_true(), scrubbed)
