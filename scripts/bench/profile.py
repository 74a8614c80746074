"""Where the time of a batch goes: `python -m scripts.bench.profile [declared|free_form]`.

cProfile, whose cost a call is small beside what a call does to 8,192 events. Compiled loops and polars show as the
function that calls them.
"""

import cProfile
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from scripts.bench.events import events
from scripts.bench.subject import Form, anonymizer, arrow, batches

EVENTS = 8_192 * 6
LEAST = 20.0
"""Nanoseconds an event below which a function is only added up."""

ROOT = Path(__file__).parents[2]


def profile(form: Form, payloads: Sequence[bytes]) -> list[tuple[str, float]]:
    """(function, nanoseconds an event of its own), the dearest first."""
    subject, parts = anonymizer(form), batches(payloads)
    for part in parts:
        arrow(subject.process(part))
    profiler = cProfile.Profile()
    profiler.enable()
    for part in parts:
        arrow(subject.process(part))
    profiler.disable()
    own: dict[str, float] = {}
    for row in profiler.getstats():
        code = row.code
        name = code if isinstance(code, str) else f"{_module(code.co_filename)} {code.co_qualname}".strip()
        own[name] = own.get(name, 0.0) + row.inlinetime
    rows = [(name, seconds * 1e9 / len(payloads)) for name, seconds in own.items()]
    return sorted(rows, key=lambda row: -row[1])


def _module(file: str) -> str:
    path = Path(file)
    if path.is_relative_to(ROOT) and ".venv" not in path.parts:
        return str(path.relative_to(ROOT))
    return path.parent.name if path.suffix == ".py" else ""


def main() -> None:
    form = cast(Form, sys.argv[1] if len(sys.argv) > 1 else "declared")
    rows = profile(form, list(events(EVENTS)))
    print(f"{form}: {sum(nanoseconds for _, nanoseconds in rows):,.0f} ns an event")  # noqa: T201
    for name, nanoseconds in rows:
        if nanoseconds >= LEAST:
            print(f"{nanoseconds:8.0f}  {name}")  # noqa: T201
    print(f"{sum(row[1] for row in rows if row[1] < LEAST):8.0f}  everything else")  # noqa: T201


if __name__ == "__main__":
    main()
