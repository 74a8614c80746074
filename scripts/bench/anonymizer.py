"""The anonymizer beside two plain loops and its peers, on the same events in the same run."""

import random
import resource
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.bench.agree import check_agreement
from scripts.bench.clock import Contestant, interleaved, median_ratio
from scripts.bench.latency import latencies
from scripts.bench.loops import naive, tuned
from scripts.bench.methods import nanoseconds
from scripts.bench.peers.runner import Result
from scripts.bench.peers.table import PEERS
from scripts.bench.subject import Form, anonymizer, arrow, batches

ROUNDS = 5
COMPARED = 1_000
NAIVE_SHARE = 0.25
"""Of the events that the naive loop is timed on: it is slow, and a rate needs no more."""

RATES = (50_000, 100_000)
LATENCY_SECONDS = 3.0
BAD_SHARE = 0.01


@dataclass
class Figures:
    """rates: events per CPU second, one figure a round. ratios: medians over the rounds."""

    rates: dict[str, list[float]]
    ratios: dict[str, float]
    latency_ms: dict[str, dict[str, float]]
    ns_per_value: dict[str, float | None]
    bad_rows: dict[str, float]
    peak_mebibytes: float
    peers: dict[str, Result] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        medians = {name: round(statistics.median(rates)) for name, rates in self.rates.items()}
        spread = {name: [round(min(rates)), round(max(rates))] for name, rates in self.rates.items()}
        return {
            "events_per_core_second": {
                **{name: medians[name] for name in ("noren_declared", "noren_free_form", "naive", "tuned")},
                "peers": {name: result.rate for name, result in self.peers.items()},
            },
            "peer_notes": {name: result.note for name, result in self.peers.items()},
            "peers_of_same_work": [peer.name for peer in PEERS if peer.exact and peer.name in self.peers],
            "peer_spread": {
                name: [min(result.rounds), max(result.rounds)] for name, result in self.peers.items() if result.rounds
            },
            "spread": spread,
            "ratios": {
                name: round(ratio, 2)
                for name, ratio in (self.ratios | peer_ratios(medians["noren_declared"], self.peers)).items()
            },
            "latency_ms": self.latency_ms,
            "ns_per_value": self.ns_per_value,
            "bad_rows": self.bad_rows,
            "peak_mebibytes": round(self.peak_mebibytes, 1),
        }


def peer_ratios(declared: float, peers: Mapping[str, Result]) -> dict[str, float]:
    """Declared against peers, where they ran; the fastest of those that do the same work, and the fastest of all."""
    rates = {name: result.rate for name, result in peers.items() if result.rate is not None}
    same = [rates[peer.name] for peer in PEERS if peer.exact and peer.name in rates]
    ratios = {"declared_to_fastest_peer_of_same_work": declared / max(same)} if same else {}
    if rates:
        ratios["declared_to_fastest_peer"] = declared / max(rates.values())
    return ratios | {f"declared_to_{name}": declared / rates[name] for name in ("pyspark", "pyflink") if name in rates}


def measure(events: Sequence[bytes], say: Callable[[str], None]) -> Figures:
    """All but the peers. say: is given a sentence of progress.

    Raises NorenError when the core and the tuned loop do not do the same work.
    """
    say(f"comparing {min(COMPARED, len(events)):,} rows with the tuned loop's")
    for form in ("declared", "free_form"):
        check_agreement(anonymizer(form), events[:COMPARED])
    say("speed")
    few = events[: max(1, int(len(events) * NAIVE_SHARE))]
    rates = interleaved(
        [
            _core("noren_declared", "declared", events),
            Contestant("tuned", len(events), lambda: _loop(tuned, events)),
            _core("noren_free_form", "free_form", events),
            Contestant("naive", len(few), lambda: _loop(naive, few)),
        ],
        ROUNDS,
    )
    ratios = {
        "declared_to_tuned": median_ratio(rates, "noren_declared", "tuned"),
        "declared_to_naive": median_ratio(rates, "noren_declared", "naive"),
        "free_form_to_tuned": median_ratio(rates, "noren_free_form", "tuned"),
    }
    say("bad rows")
    spoiled = spoil(events, BAD_SHARE)
    pair = interleaved([_core("clean", "declared", events), _core("spoiled", "declared", spoiled)], ROUNDS)
    say("latency")
    core = anonymizer("declared")
    latency = {str(rate): latencies(core, events, rate, LATENCY_SECONDS) for rate in RATES}
    say("methods")
    return Figures(
        rates=rates,
        ratios=ratios,
        latency_ms=latency,
        ns_per_value=nanoseconds(),
        bad_rows={str(BAD_SHARE): round(median_ratio(pair, "spoiled", "clean"), 3)},
        peak_mebibytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def _core(name: str, form: Form, events: Sequence[bytes]) -> Contestant:
    core, work = anonymizer(form), batches(events)

    def run() -> None:
        for batch in work:
            arrow(core.process(batch))

    return Contestant(name, len(events), run)


def _loop(function: Callable[[bytes], object], events: Sequence[bytes]) -> None:
    for event in events:
        function(event)


def spoil(events: Sequence[bytes], share: float) -> list[bytes]:
    """The events with a share of them broken: cut off, mistyped, or without a required field."""
    rng = random.Random(5)  # noqa: S311  (a benchmark's data)
    out = list(events)
    for index in rng.sample(range(len(events)), int(len(events) * share)):
        event = events[index]
        broken = (event[: len(event) // 2], event.replace(b'"user_id":"', b'"user_id":["', 1), b"{}")
        out[index] = broken[index % 3]
    return out
