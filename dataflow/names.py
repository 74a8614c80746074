"""Names of datasets, tables and topics: one place, so that no two parts of the house spell them differently."""

DEAD_LETTERS = ("dead_letter", "events")
"""(dataset, table) of what could not be accepted."""

REPLAYS = ("dead_letter", "replays")
"""(dataset, table) of the dead letters that were published again."""

UNKNOWN_FIELDS = ("operations", "unknown_fields")
"""(dataset, table) of the names and types, never the values, of fields that no contract declares."""

LEDGER = ("operations", "ledger")
"""(dataset, table) of the copy of the ledgers."""

MINUTE_METRICS = ("operations", "minute_metrics")
"""(dataset, table) of what became of each stream's events, by minute and event type."""


def raw(domain: str) -> str:
    """The dataset of events as they came: restricted, short-lived."""
    return f"raw__{domain}"


def anonymized(domain: str) -> str:
    """The dataset of the pseudonymized lane. Its data is not anonymous: GDPR 4(5)."""
    return f"anonymized__{domain}"


def topic(stream: str) -> str:
    """The topic that apps publish a stream to: the stream's name, hyphens for underscores."""
    return stream.replace("_", "-")


def landed(stream: str) -> str:
    """The table that a scheduled query appends a database's rows to, beside the stream's raw table."""
    return f"{stream}_landed"


def current(stream: str) -> str:
    """The view of a stream of changes that shows the source as it is now, beside the stream's anonymized table."""
    return f"{stream}_current"


def subscription(stream: str) -> str:
    """The anonymizer's subscription of a stream."""
    return f"{topic(stream)}-anonymizer"


def anonymized_topic(stream: str) -> str:
    """The topic of a stream's anonymized rows, for other consumers."""
    return f"{topic(stream)}-anonymized"


def dead_letter_topic(stream: str) -> str:
    """Where the broker puts what the anonymizer could not take; its one subscription has the same name."""
    return f"{topic(stream)}-dead-letter"
