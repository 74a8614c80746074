"""Tables that follow from no contract: dead letters, and what operations know."""

from dataflow import names
from dataflow.schemas.columns import Column, ColumnType, Table, own


def _text(name: str, description: str, *, required: bool = True) -> Column:
    return own(name, ColumnType.STRING, description, required=required)


def _time(name: str, description: str) -> Column:
    return own(name, ColumnType.TIMESTAMP, description)


def _count(name: str, description: str, *, required: bool = True) -> Column:
    return own(name, ColumnType.INT64, description, required=required)


def _table(place: tuple[str, str], partition_by: str, description: str, *columns: Column) -> Table:
    return Table(*place, columns, partition_by, description)


def dead_letter_table() -> Table:
    """`dead_letter.events`: what could not be accepted, redacted; the bytes themselves only encrypted."""
    attribute = Column(
        name="attributes",
        path="attributes",
        type=ColumnType.STRUCT,
        description="Attributes whose names the policy allows in clear.",
        repeated=True,
        children=(
            Column("name", "attributes.name", ColumnType.STRING),
            Column("value", "attributes.value", ColumnType.STRING),
        ),
    )
    return _table(
        names.DEAD_LETTERS,
        "receive_time",
        "What could not be accepted, redacted and replayable.",
        _text("dead_token", "Names this dead letter: digest of stream and position."),
        _text("stream", "The contract it was read with."),
        _text("reason", "Reason code, such as missing_field."),
        _text("field", "Path of the field at fault; $ for the whole message."),
        _text("message", "The reason in words, without the value."),
        _text("contract_version", "Version of the contract."),
        _text("policy_version", "Version of the policy."),
        _time("receive_time", "When the broker accepted the message."),
        _text("message_id", "The broker's id of the message."),
        _count("payload_bytes", "Length of the message's data."),
        attribute,
        _text("payload_redacted", "Declared names and types of the payload.", required=False),
        own("sealed", ColumnType.BYTES, "Data and all attributes, encrypted under the dead letters' own key."),
        _text("batch_id", "Commit group that wrote the row."),
    )


def replay_table() -> Table:
    """`dead_letter.replays`: which dead letters were published again, and as what."""
    return _table(
        names.REPLAYS,
        "replay_time",
        "Dead letters that were published again.",
        _text("dead_token", "The dead letter that was published again."),
        _text("stream", "Its stream."),
        _text("reason", "Why it had been dead."),
        _time("replay_time", "When it was published again."),
        _text("message_id", "The broker's id of the new message."),
        _text("batch_id", "Part of a replay that wrote the row."),
    )


def unknown_field_table() -> Table:
    """`operations.unknown_fields`: names and types of undeclared fields, never a value."""
    return _table(
        names.UNKNOWN_FIELDS,
        "receive_time",
        "Fields that events carry and no contract declares.",
        _text("stream", "The contract that does not declare the field."),
        _text("field", "Path of the field; <other> where the name itself may tell something."),
        _text("type", "JSON type of its values."),
        _count("events", "Events that had it."),
        _text("contract_version", "Version of the contract."),
        _time("receive_time", "When the newest message of the batch was accepted."),
        _text("batch_id", "Commit group that wrote the row."),
    )


def ledger_table() -> Table:
    """`operations.ledger`: the copy of every ledger's lines."""
    return _table(
        names.LEDGER,
        "time",
        "Copy of the ledgers: who did what.",
        _text("ledger", "Name and identity of the ledger."),
        _count("number", "Number of the line; counts from 0 in each ledger."),
        _time("time", "When the line was appended, by the clock of who did."),
        _text("kind", "What was done, such as dead_letters.opened."),
        _text("who", "Who did it: a person or a service identity."),
        _text("details", "The rest as JSON text; no raw personal value."),
        _text("digest", "SHA-256 of the line as it is stored; the next line holds it too."),
        _text("batch_id", "Run of lines that wrote the row."),
    )


def minute_metrics_table() -> Table:
    """`operations.minute_metrics`: counts and sketches; its rows add up."""
    errors = Column(
        name="error_reasons",
        path="error_reasons",
        type=ColumnType.STRUCT,
        description="Dead letters by reason code.",
        repeated=True,
        children=(
            Column("reason", "error_reasons.reason", ColumnType.STRING),
            Column("errors", "error_reasons.errors", ColumnType.INT64),
        ),
    )
    return _table(
        names.MINUTE_METRICS,
        "minute",
        "What became of each stream's events, by minute and event type.",
        _text("stream", "The contract."),
        _time("minute", "Start of the minute: event time, as coarse as the policy makes it."),
        _text("event_type", "Kind of event; null for what has none to go by.", required=False),
        _count("firing", "Which firing of the stream's windows wrote the row; rows of one minute add up."),
        _text("timing", "early: before the minute was complete; on_time; late: behind that."),
        _count("events", "Events accepted and counted in their own minute."),
        _count("late", "Events accepted but later than the allowed lateness; by publish time."),
        _count("errors", "Dead letters; by publish time."),
        _count("duplicates", "Duplicates; by publish time."),
        errors,
        _count("users", "About how many persons; over several rows merge users_sketch.", required=False),
        own("users_sketch", ColumnType.BYTES, "HyperLogLog sketch of persons' tokens (DataSketches).", required=False),
        *(
            own(
                f"latency_p{percent}_ms",
                ColumnType.FLOAT64,
                f"Percentile {percent} of milliseconds from publish to staged.",
                required=False,
            )
            for percent in (50, 95, 99)
        ),
        own("latency_sketch", ColumnType.BYTES, "KLL sketch of these milliseconds (DataSketches).", required=False),
        _text("contract_version", "Version of the contract when the row was made."),
        _text("policy_version", "Version of the policy when the row was made."),
        _text("batch_id", "Commit group that wrote the row."),
    )
