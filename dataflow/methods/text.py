"""Free text, scrubbed of what can be recognized. Free text is dropped unless allow-listed."""

import hashlib
import re
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec
import numpy as np
import polars as pl

from dataflow.contract import Classification, Field
from dataflow.errors import NorenError
from dataflow.methods.base import PERSONAL, TEXT, Context, Function, Method
from dataflow.methods.entities import MARKS, STEPS, Step, find
from dataflow.methods.folding import DISGUISES, FOLD, folded

if TYPE_CHECKING:
    from dataflow.compiled.views import Numbers

NAME = "<NAME>"

FEW = 16
"""Texts up to which Python's `re` is through before polars has set out: a step costs it 0.1 ms whatever there is."""

_DISGUISED = f"[{re.escape(DISGUISES)}]"


class Names:
    """A list of names. Two are equal when they hold the same; what is shown of one is a digest.

    A name in Latin letters counts as a whole word in any case, any other name wherever it stands. Names side by side,
    or with one blank between, are replaced together.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = tuple(sorted({folded(name) for name in names}, key=lambda name: (-len(name), name)))
        self.digest = hashlib.sha256("\n".join(self.names).encode()).hexdigest()[:12]

    @cached_property
    def step(self) -> Step:
        words = [re.escape(name) for name in self.names if name.isascii()]
        others = [re.escape(name) for name in self.names if not name.isascii()]
        latin = [rf"(?i:(?<![A-Za-z])(?:{'|'.join(words)})(?![A-Za-z]))"] if words else []
        one = f"(?:{'|'.join([*latin, *others])})"
        return Step(NAME, rf"(?a:{one}(?: ?{one})*)", "")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Names) and self.names == other.names

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"{len(self.names)} names, {self.digest}"


class Scrub(Method, frozen=True, dict=True):
    """Text with what can be recognized replaced by a tag. String in, string out.

    Recognized, full-width characters, blanks and odd hyphens included: e-mail addresses `<EMAIL>`, IP addresses `<IP>`,
    what follows ? or # in a URL `?<QUERY>`, cards with a right check digit `<CARD>`, My Numbers with a right check
    digit `<MY_NUMBER>`, telephones with a country code or of Japan, North America and lands that dial a 0 first
    `<PHONE>`, any other seven digits or more `<NUMBER>` (dates in digits are among them), names of a list `<NAME>`.

    names: file beside the policy with a name a line, such as `hierarchies/names.txt`; none by default.
    Not reversible. Leaks whatever else was written: names that are on no list, streets, stories. Lane: pseudonymized.
    """

    name = "scrub"
    accepts = TEXT
    leaks = "everything that is no e-mail or IP address, URL query, number of seven digits or listed name"
    unfit_for = PERSONAL - {Classification.FREE_TEXT}
    scales: ClassVar = {}
    names: Annotated[str, msgspec.Meta(min_length=1)] | None = None

    def files(self) -> tuple[str, ...]:
        return (self.names,) if self.names else ()

    def bound(self, directory: Path) -> "Scrub":
        if self.names is None:
            return self
        return LoadedScrub(names=self.names, listed=read_names(directory, self.names))

    @property
    def known(self) -> Names | None:
        if self.names is not None:
            raise TypeError("a list of names is read by bound() before it is used")
        return None

    @cached_property
    def _steps(self) -> tuple[Step, ...]:
        return (*STEPS, self.known.step) if self.known else STEPS

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        return column.map_batches(self._scrub, return_dtype=pl.String)

    def function(self, field: Field, context: Context) -> Function:
        return self._scrub

    def reference(self, value: object, field: Field, context: Context) -> str:
        return scrubbed(str(value), self._steps)

    def _scrub(self, texts: pl.Series) -> pl.Series:
        from dataflow.methods.loops.suspects import WIDE, marks, suspects

        chosen = pl.Series(suspects(texts))
        if self.known:  # a name needs no digit and no mark
            chosen = (self._may_name(texts) | texts.str.contains(_DISGUISED)).arg_true().extend(chosen).unique().sort()
        if not len(chosen):
            return texts
        rows = texts[chosen]
        bits, digits = marks(rows)
        wide = (bits & WIDE) != 0
        if not wide.any():
            return texts.scatter(chosen, self._plain(rows, bits, digits))
        rows = _where(rows, pl.Series(~wide), lambda some: self._plain(some, bits[~wide], digits[~wide]))
        return texts.scatter(chosen, _where(rows, pl.Series(wide), self._wide))

    def _wide(self, rows: pl.Series) -> pl.Series:
        """Texts with characters beyond ASCII, which may be disguises."""
        return self._closer(rows) if self.known else _where(rows, rows.str.contains(_SUSPECT), self._closer)

    def _closer(self, rows: pl.Series) -> pl.Series:
        from dataflow.methods.loops.suspects import marks

        disguised = rows.str.contains(_DISGUISED)
        rows = _where(rows, disguised, self._disguised)
        return _where(rows, ~disguised, lambda some: self._plain(some, *marks(some)))

    def _disguised(self, rows: pl.Series) -> pl.Series:
        """Texts with disguises: one by one, those that have something in them once they are folded."""
        frame = rows.alias("text").to_frame()
        plain = frame.select(pl.col("text").str.replace_many(list(DISGUISES), list(FOLD.values())))["text"]
        hits = plain.str.contains(_ANY_GATE)
        if self.known:
            hits |= self._may_name(plain)
        return _where(rows, hits, lambda some: _each(some, self._steps))

    def _plain(self, rows: pl.Series, bits: "Numbers", digits: "Numbers") -> pl.Series:
        """Texts without disguises, step by step. bits, digits: their `marks`, which say what steps are for nothing:
        a call to polars costs more than a few texts do."""
        from dataflow.methods.loops.suspects import marks

        for step in STEPS:
            may = digits >= step.digits
            if step.marks:
                may &= (bits & _bits(step.marks)) != 0
            found = np.flatnonzero(may)
            if len(found):
                where = pl.Series(found.astype(np.uint32))
                changed = _apply(step, rows[where])
                rows = rows.scatter(where, changed)
                bits[found], digits[found] = marks(changed)
        if self.known:
            name = (self.known.step,)
            rows = _where(rows, self._may_name(rows), lambda some: _each(some, name))
        return rows

    def _may_name(self, texts: pl.Series) -> pl.Series:
        assert self.known is not None
        frame = texts.alias("text").to_frame()
        return frame.select(pl.col("text").str.contains_any(list(self.known.names), ascii_case_insensitive=True))[
            "text"
        ]


class LoadedScrub(Scrub, frozen=True, kw_only=True):
    """The method with its list read. Not in the registry: a policy cannot spell the names out."""

    listed: Names

    @property
    def known(self) -> Names | None:
        return self.listed


def scrubbed(text: str, steps: tuple[Step, ...] = STEPS) -> str:
    """The text with everything that the steps find replaced by its tag."""
    out, last = [], 0
    for start, end, tag in find(folded(text), steps):
        out += [text[last:start], tag]
        last = end
    return "".join([*out, text[last:]])


def read_names(directory: Path, file: str) -> Names:
    """The names in a file of one a line. Raises NorenError when it cannot be read or holds none."""
    path = directory / file
    if directory.resolve() not in path.resolve().parents:
        raise NorenError(f"{file} lies outside the policy's directory; put it beside the policy.")
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except OSError as error:
        raise NorenError(f"{file}: cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise NorenError(f"{file}: is not UTF-8.") from error
    names = tuple(line for line in lines if line and not line.startswith("#"))
    if not names:
        raise NorenError(f"{file}: holds no name.")
    return Names(names)


def _where(texts: pl.Series, chosen: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """The series with the chosen texts changed."""
    if not chosen.any():
        return texts
    where = pl.Series(np.flatnonzero(chosen.to_numpy()).astype(np.uint32))
    return texts.scatter(where, change(texts[where]))


@cache
def _bits(characters: str) -> int:
    return sum(1 << MARKS.index(character) for character in characters)


def _apply(step: Step, texts: pl.Series) -> pl.Series:
    if len(texts) <= FEW:
        return _each(texts, (step,))
    if step.check is not None:
        return _where(texts, texts.str.contains(step.gate), lambda some: _each(some, (step,)))
    kept = "${1}" if step.compiled.groups else ""
    return texts.str.replace_all(step.pattern, kept + step.tag)


def _each(texts: pl.Series, steps: tuple[Step, ...]) -> pl.Series:
    return pl.Series([scrubbed(text, steps) for text in texts], dtype=pl.String)


_ANY_GATE = "|".join(f"(?:{step.gate})" for step in STEPS)


def _in_any_guise(characters: str) -> str:
    """The pattern of one of these characters, disguised or not."""
    return f"[{re.escape(characters + ''.join(chr(code) for code, role in FOLD.items() if role in characters))}]"


_DIGIT, _HEX = "0123456789", "0123456789ABCDEFabcdef"

_SUSPECT = "|".join(
    (
        _in_any_guise("@?#"),
        f"{_in_any_guise('a')}{_in_any_guise('t')}{_in_any_guise(' ')}?{_in_any_guise(')]')}",
        f"{_in_any_guise(':')}{_in_any_guise(_HEX)}{{0,4}}{_in_any_guise(':')}",
        f"{_in_any_guise(_DIGIT)}(?:{_in_any_guise(' ()./_-')}{{0,3}}{_in_any_guise(_DIGIT)}){{3}}",
    )
)
"""What every match of STEPS contains, disguised or not. Most texts do not, and are passed over with one cheap look."""
