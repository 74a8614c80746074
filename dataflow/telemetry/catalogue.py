"""Every metric there is, once: name, kind, unit, labels and one line of meaning. README.md has the table made of it.

A label's values come from closed sets (streams, stages, reason codes, versions), never from an event.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Unit(StrEnum):
    """In OpenTelemetry's spelling (UCUM); Prometheus writes seconds and bytes behind the name."""

    SECONDS = "s"
    BYTES = "By"
    MESSAGES = "{message}"
    EVENTS = "{event}"
    ITEMS = "{item}"
    NONE = "1"


class Stage(StrEnum):
    """What a batch goes through, in order."""

    PULL = "pull"
    ANONYMIZE = "anonymize"
    STAGE = "stage"
    OUTPUT = "output"
    COMMIT = "commit"
    ACKNOWLEDGE = "acknowledge"


@dataclass(frozen=True)
class Metric:
    """labels: beside `stream`, which every metric has."""

    name: str
    kind: Kind
    unit: Unit
    meaning: str
    labels: tuple[str, ...] = ()

    @property
    def exposed(self) -> str:
        """Its name in Prometheus."""
        suffix = {Unit.SECONDS: "_seconds", Unit.BYTES: "_bytes"}.get(self.unit, "")
        return self.name.replace(".", "_") + suffix + ("_total" if self.kind is Kind.COUNTER else "")


INPUT = Metric("noren.input", Kind.COUNTER, Unit.MESSAGES, "Messages taken from the source, redeliveries included.")
INPUT_SIZE = Metric("noren.input.size", Kind.COUNTER, Unit.BYTES, "Their data.")
RAW = Metric("noren.raw", Kind.COUNTER, Unit.EVENTS, "Events accepted: rows of the raw table.")
ANONYMIZED = Metric("noren.anonymized", Kind.COUNTER, Unit.EVENTS, "Rows of the anonymized table; always as many.")
DEAD = Metric("noren.dead", Kind.COUNTER, Unit.EVENTS, "Dead letters, by reason code.", ("reason",))
DUPLICATES = Metric("noren.duplicates", Kind.COUNTER, Unit.EVENTS, "Accepted messages whose identity came before.")
UNKNOWN_FIELDS = Metric("noren.unknown_fields", Kind.COUNTER, Unit.EVENTS, "Undeclared fields, once for each event.")
BATCHES = Metric("noren.batches", Kind.COUNTER, Unit.ITEMS, "Batches staged as journal entries.")
COMMITTED = Metric("noren.committed", Kind.COUNTER, Unit.ITEMS, "Journal entries that every table has.")
ACKNOWLEDGED = Metric("noren.acknowledged", Kind.COUNTER, Unit.MESSAGES, "Messages acknowledged to the source.")
LAG = Metric(
    "noren.lag",
    Kind.GAUGE,
    Unit.SECONDS,
    "Age of the oldest message of the last batch when staged; 0 when all is done.",
)
BACKLOG = Metric("noren.backlog", Kind.GAUGE, Unit.MESSAGES, "Messages not acknowledged, where the source says.")
STAGE_DURATION = Metric("noren.stage.duration", Kind.HISTOGRAM, Unit.SECONDS, "Of one batch in one stage.", ("stage",))
LATENCY = Metric("noren.latency", Kind.HISTOGRAM, Unit.SECONDS, "Of a batch, from its oldest publishing to its rows.")
POLICY = Metric(
    "noren.policy",
    Kind.GAUGE,
    Unit.NONE,
    "1 for the versions of the batches to come, 0 for earlier.",
    ("version", "contract"),
)
BUNDLE = Metric("noren.bundle", Kind.GAUGE, Unit.NONE, "Number of the bundle that is taken; 0: the project's files.")
REFUSED_BUNDLES = Metric("noren.bundles.refused", Kind.GAUGE, Unit.ITEMS, "Bundles refused since the start.")
KEY_EPOCH = Metric("noren.key.epoch", Kind.GAUGE, Unit.NONE, "Newest key epoch that tokens were made in.")
STATE_ITEMS = Metric("noren.state.items", Kind.GAUGE, Unit.ITEMS, "Identities that deduplication holds.")
STATE_SIZE = Metric("noren.state.size", Kind.GAUGE, Unit.BYTES, "State that operators hold in memory.", ("operator",))
STATE_DISK_SIZE = Metric(
    "noren.state.disk.size", Kind.GAUGE, Unit.BYTES, "State that operators hold in scratch files.", ("operator",)
)
IN_FLIGHT = Metric("noren.in_flight", Kind.GAUGE, Unit.BYTES, "Data pulled and not yet staged.")
UNCOMMITTED = Metric("noren.uncommitted", Kind.GAUGE, Unit.ITEMS, "Staged batches that wait for their commit.")

METRICS = (
    INPUT,
    INPUT_SIZE,
    RAW,
    ANONYMIZED,
    DEAD,
    DUPLICATES,
    UNKNOWN_FIELDS,
    BATCHES,
    COMMITTED,
    ACKNOWLEDGED,
    LAG,
    BACKLOG,
    STAGE_DURATION,
    LATENCY,
    POLICY,
    BUNDLE,
    REFUSED_BUNDLES,
    KEY_EPOCH,
    STATE_ITEMS,
    STATE_SIZE,
    STATE_DISK_SIZE,
    IN_FLIGHT,
    UNCOMMITTED,
)

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Bounds of the histograms."""


def table() -> str:
    """The catalogue as a Markdown table."""
    lines = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in ("stream", *metric.labels))
        lines.append(f"| `{metric.exposed}` | {metric.kind} | {labels} | {metric.meaning} |")
    return "\n".join(lines) + "\n"
