"""Recall and precision of scrubbing: `python -m tests.dataflow.methods.measure [--count N] [--seed N] [--json]`.

Tagged: a span of the right kind covers the whole entity. Removed: spans of any kind cover all letters and digits of it.
Precision of a kind: spans of it that overlap an entity of it, of all spans of it. `--write FILE` writes the texts as
JSON lines, `--spans FILE` judges what another tool found in them ([[start, end, kind], ...] a line).
"""

import argparse
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from dataflow.contract import FieldType
from dataflow.methods import Context
from dataflow.methods.entities import STEPS, find
from dataflow.methods.folding import folded
from dataflow.methods.text import LoadedScrub, Names, Scrub
from tests.dataflow.methods.both import KEY, field
from tests.dataflow.methods.messages import PROSE, STRUCTURED, Message, corpus

type Spans = list[tuple[int, int, str]]


def found(message: Message, names: Names | None = None) -> Spans:
    steps = (*STEPS, names.step) if names else STEPS
    return [(start, end, tag.strip("?<>")) for start, end, tag in find(folded(message.text), steps)]


def judge(messages: Sequence[Message], spans: Sequence[Spans]) -> dict[str, Any]:
    """Per kind: entities, tagged and removed recall, spans, precision; and the share of clean messages that changed."""
    entities, tagged, removed, made, right = (Counter[str]() for _ in range(5))
    for message, some in zip(messages, spans, strict=True):
        covered = {place for start, end, _ in some for place in range(start, end)}
        for entity in message.entities:
            entities[entity.kind] += 1
            tagged[entity.kind] += any(
                kind == entity.kind and start <= entity.start and entity.end <= end for start, end, kind in some
            )
            removed[entity.kind] += all(
                place in covered for place in range(entity.start, entity.end) if message.text[place].isalnum()
            )
        for start, end, kind in some:
            made[kind] += 1
            right[kind] += any(
                entity.kind == kind and entity.start < end and start < entity.end for entity in message.entities
            )
    clean = [some for message, some in zip(messages, spans, strict=True) if not message.entities]
    kinds = {
        kind: {
            "entities": entities[kind],
            "tagged": _ratio(tagged[kind], entities[kind]),
            "removed": _ratio(removed[kind], entities[kind]),
            "spans": made[kind],
            "precision": _ratio(right[kind], made[kind]),
        }
        for kind in (*STRUCTURED, *PROSE, *sorted(set(made) - {*STRUCTURED, *PROSE}))
    }
    return {"messages": len(messages), "kinds": kinds, "clean_changed": _ratio(sum(map(bool, clean)), len(clean))}


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def half_of_the_names(messages: Sequence[Message]) -> Names:
    """A list that knows every other name part of the corpus: no list knows all names."""
    parts = sorted(
        {
            part
            for message in messages
            for entity in message.entities
            if entity.kind == "NAME"
            for part in message.text[entity.start : entity.end].split()
        }
    )
    return Names(tuple(parts[::2]))


def speed(texts: list[str], scrub: Scrub) -> float:
    """Texts a second of one core, columnar, batches of 8,192; the best of three."""
    batches = [pl.Series("x", batch, dtype=pl.String) for batch in itertools.batched(texts, 8192, strict=False)]
    seconds = []
    for _ in range(3):
        before = time.process_time()
        for batch in batches:
            columnar_once(scrub, batch)
        seconds.append(time.process_time() - before)
    return len(texts) / min(seconds)


def columnar_once(scrub: Scrub, batch: pl.Series) -> pl.Series:
    return batch.to_frame().select(scrub.expression(pl.col("x"), field(FieldType.STRING), Context(KEY)))["x"]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.dataflow.methods.measure", description=__doc__)
    parser.add_argument("--count", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", type=Path, help="write the texts here and stop")
    parser.add_argument("--spans", type=Path, help="judge these spans, not our own")
    options = parser.parse_args(arguments)
    messages = list(corpus(options.count, options.seed))
    if options.write:
        options.write.write_text("".join(json.dumps(message.text) + "\n" for message in messages), encoding="utf-8")
        return
    if options.spans:
        lines = options.spans.read_text(encoding="utf-8").splitlines()
        result = judge(messages, [[(start, end, kind) for start, end, kind in json.loads(line)] for line in lines])
    else:
        result = judge(messages, [found(message) for message in messages])
        names = half_of_the_names(messages)
        listed = judge(messages, [found(message, names) for message in messages])["kinds"]["NAME"]
        result["kinds"]["NAME (half of them listed)"] = listed
        texts = [message.text for message in messages]
        ascii_texts = [text for text in texts if text.isascii()]
        result["texts_per_second"] = {
            "all": round(speed(texts, Scrub())),
            "ascii": round(speed(ascii_texts, Scrub())),
            "nothing to find": round(speed(["the order arrived late please refund"] * len(texts), Scrub())),
            "with a list of names": round(speed(texts, LoadedScrub(names="names.txt", listed=names))),
        }
    sys.stdout.write(f"{json.dumps(result, ensure_ascii=False) if options.json else told(result)}\n")


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}" if isinstance(value, float) else f"{value:,}"


def told(result: dict[str, Any]) -> str:
    """The figures as a Markdown table and sentences."""
    lines = ["| kind | entities | tagged | removed | spans | precision |", "|---|---|---|---|---|---|"]
    for kind, row in result["kinds"].items():
        lines.append(f"| {kind} | {' | '.join(map(_cell, row.values()))} |")
    lines += ["", f"{result['messages']:,} messages; of the clean ones {result['clean_changed']:.2%} changed."]
    speeds = result.get("texts_per_second", {})
    return "\n".join([*lines, *(f"{rate:,} texts a second of one core: {what}" for what, rate in speeds.items())])


if __name__ == "__main__":
    main(sys.argv[1:])
