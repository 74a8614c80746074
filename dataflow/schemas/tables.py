"""The tables of a stream, and the house's own."""

from dataclasses import replace

from dataflow import names
from dataflow.contract import Contract, Field, FieldType
from dataflow.methods import Method
from dataflow.policy import Policy
from dataflow.schemas.columns import OF_FIELD, Column, ColumnType, Table


def _own(name: str, type: ColumnType, description: str, *, required: bool = True) -> Column:
    return Column(name, name, type, required, description)


def _stream_columns(coarse: str) -> tuple[Column, ...]:
    return (
        _own("event_token", ColumnType.STRING, "Keyed token of the event's identity; the same in raw and anonymized."),
        _own("event_time", ColumnType.TIMESTAMP, f"When the event happened{coarse}."),
        _own("receive_time", ColumnType.TIMESTAMP, f"When the broker accepted the message{coarse}."),
        _own("key_epoch", ColumnType.INT64, "Which key epoch, by event time, the tokens were made in."),
        _own("contract_version", ColumnType.STRING, "Version of the contract that the event was read with."),
        _own("policy_version", ColumnType.STRING, "Version of the policy that the event was anonymized under."),
        _own("batch_id", ColumnType.STRING, "Commit group that wrote the row."),
    )


def _raw_column(field: Field) -> Column:
    if field.items is not None:
        return _repeated(_raw_column(field.items), field)
    return Column(
        name=field.name,
        path=field.path,
        type=OF_FIELD[field.type],
        required=field.required,
        description=field.description,
        children=tuple(_raw_column(child) for child in field.children),
        classification=field.classification,
        method="keep" if field.type is not FieldType.OBJECT else None,
    )


def _repeated(item: Column, field: Field) -> Column:
    return replace(item, required=False, repeated=True, description=item.description or field.description)


def _output(method: Method, input: FieldType) -> ColumnType:
    """The column type that a method makes of a field."""
    output = method.output or input
    return output if isinstance(output, ColumnType) else OF_FIELD[output]


def _anonymized_column(contract: Contract, policy: Policy, field: Field) -> Column | None:
    """None when nothing of the field is left."""
    if field.items is not None:
        inner = _anonymized_column(contract, policy, field.items)
        return None if inner is None else _repeated(inner, field)
    if field.type is FieldType.OBJECT:
        children = tuple(
            column for child in field.children if (column := _anonymized_column(contract, policy, child)) is not None
        )
        if not children:
            return None
        return Column(field.name, field.path, ColumnType.STRUCT, False, field.description, children=children)
    method = policy.method(contract, field)
    if method.name == "drop":
        return None
    return Column(
        name=field.name,
        path=field.path,
        type=_output(method, field.type),
        description=f"{field.description} ({method.name})".strip(),
        classification=field.classification,
        method=method.name,
    )


def raw_table(contract: Contract) -> Table:
    """`raw__<domain>.<stream>`: partitioned, and expiring, by receive time."""
    return Table(
        dataset=names.raw(contract.domain),
        name=contract.stream,
        columns=(*_stream_columns(""), *(_raw_column(field) for field in contract.fields)),
        partition_by="receive_time",
        description=f"{contract.description} Raw personal data: restricted and short-lived.".strip(),
        labels={"stream": contract.stream},
    )


def anonymized_table(contract: Contract, policy: Policy) -> Table:
    """`anonymized__<domain>.<stream>`, the pseudonymized lane: partitioned by event time.

    Every field column is NULLABLE: a method may turn what it cannot coarsen into null. The times of the table's own
    columns
    are as coarse as the policy makes the contract's event time.
    """
    fields = [_anonymized_column(contract, policy, field) for field in contract.fields]
    types = {leaf.path: leaf.type for leaf in contract.leaves()}
    derived = [
        Column(
            name=item.name,
            path=item.name,
            type=_output(item.method, types[item.source]),
            description=f"Derived from {item.source} ({item.method.name})",
            method=item.method.name,
        )
        for item in policy.stream(contract).derive
    ]
    return Table(
        dataset=names.anonymized(contract.domain),
        name=contract.stream,
        columns=(
            *_stream_columns(", as coarse as the policy makes it"),
            *(column for column in fields if column is not None),
            *derived,
        ),
        partition_by="event_time",
        description=f"{contract.description} Pseudonymized: stable keyed tokens, personal data still.".strip(),
        labels={"stream": contract.stream, "lane": "pseudonymized"},
    )


def dead_letter_table() -> Table:
    """`dead_letter.events`: what could not be accepted, redacted; the bytes themselves only encrypted."""
    dataset, name = names.DEAD_LETTERS
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
    columns = (
        _own("dead_token", ColumnType.STRING, "Names this dead letter: digest of stream and position."),
        _own("stream", ColumnType.STRING, "The contract it was read with."),
        _own("reason", ColumnType.STRING, "Reason code, such as missing_field."),
        _own("field", ColumnType.STRING, "Path of the field at fault; $ for the whole message."),
        _own("message", ColumnType.STRING, "The reason in words, without the value."),
        _own("contract_version", ColumnType.STRING, "Version of the contract."),
        _own("policy_version", ColumnType.STRING, "Version of the policy."),
        _own("receive_time", ColumnType.TIMESTAMP, "When the broker accepted the message."),
        _own("message_id", ColumnType.STRING, "The broker's id of the message."),
        _own("payload_bytes", ColumnType.INT64, "Length of the message's data."),
        attribute,
        _own("payload_redacted", ColumnType.STRING, "Declared names and types of the payload.", required=False),
        _own("sealed", ColumnType.BYTES, "Data and all attributes, encrypted under the dead letters' own key."),
        _own("batch_id", ColumnType.STRING, "Commit group that wrote the row."),
    )
    return Table(dataset, name, columns, "receive_time", "What could not be accepted, redacted and replayable.")


def replay_table() -> Table:
    """`dead_letter.replays`: which dead letters were published again, and as what."""
    dataset, name = names.REPLAYS
    columns = (
        _own("dead_token", ColumnType.STRING, "The dead letter that was published again."),
        _own("stream", ColumnType.STRING, "Its stream."),
        _own("reason", ColumnType.STRING, "Why it had been dead."),
        _own("replay_time", ColumnType.TIMESTAMP, "When it was published again."),
        _own("message_id", ColumnType.STRING, "The broker's id of the new message."),
        _own("batch_id", ColumnType.STRING, "Part of a replay that wrote the row."),
    )
    return Table(dataset, name, columns, "replay_time", "Dead letters that were published again.")


def unknown_field_table() -> Table:
    """`operations.unknown_fields`: names and types of undeclared fields, never a value."""
    dataset, name = names.UNKNOWN_FIELDS
    columns = (
        _own("stream", ColumnType.STRING, "The contract that does not declare the field."),
        _own("field", ColumnType.STRING, "Path of the field; <other> where the name itself may tell something."),
        _own("type", ColumnType.STRING, "JSON type of its values."),
        _own("events", ColumnType.INT64, "Events that had it."),
        _own("contract_version", ColumnType.STRING, "Version of the contract."),
        _own("receive_time", ColumnType.TIMESTAMP, "When the newest message of the batch was accepted."),
        _own("batch_id", ColumnType.STRING, "Commit group that wrote the row."),
    )
    return Table(dataset, name, columns, "receive_time", "Fields that events carry and no contract declares.")


def ledger_table() -> Table:
    """`operations.ledger`: the copy of every ledger's lines."""
    dataset, name = names.LEDGER
    columns = (
        _own("ledger", ColumnType.STRING, "Name and identity of the ledger."),
        _own("number", ColumnType.INT64, "Number of the line; counts from 0 in each ledger."),
        _own("time", ColumnType.TIMESTAMP, "When the line was appended, by the clock of who did."),
        _own("kind", ColumnType.STRING, "What was done, such as dead_letters.opened."),
        _own("who", ColumnType.STRING, "Who did it: a person or a service identity."),
        _own("details", ColumnType.STRING, "The rest as JSON text; no raw personal value."),
        _own("digest", ColumnType.STRING, "SHA-256 of the line as it is stored; the next line holds it too."),
        _own("batch_id", ColumnType.STRING, "Run of lines that wrote the row."),
    )
    return Table(dataset, name, columns, "time", "Copy of the ledgers: who did what.")


def minute_metrics_table() -> Table:
    """`operations.minute_metrics`: counts and sketches; its rows add up."""
    dataset, name = names.MINUTE_METRICS
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
    columns = (
        _own("stream", ColumnType.STRING, "The contract."),
        _own("minute", ColumnType.TIMESTAMP, "Start of the minute: event time, as coarse as the policy makes it."),
        _own("event_type", ColumnType.STRING, "Kind of event; null for what has none to go by.", required=False),
        _own(
            "firing", ColumnType.INT64, "Which firing of the stream's windows wrote the row; rows of one minute add up."
        ),
        _own("timing", ColumnType.STRING, "early: before the minute was complete; on_time; late: behind that."),
        _own("events", ColumnType.INT64, "Events accepted and counted in their own minute."),
        _own("late", ColumnType.INT64, "Events accepted but later than the allowed lateness; by publish time."),
        _own("errors", ColumnType.INT64, "Dead letters; by publish time."),
        _own("duplicates", ColumnType.INT64, "Duplicates; by publish time."),
        errors,
        _own(
            "users", ColumnType.INT64, "About how many persons; over several rows merge users_sketch.", required=False
        ),
        _own("users_sketch", ColumnType.BYTES, "HyperLogLog sketch of persons' tokens (DataSketches).", required=False),
        *(
            _own(
                f"latency_p{percent}_ms",
                ColumnType.FLOAT64,
                f"Percentile {percent} of milliseconds from publish to staged.",
                required=False,
            )
            for percent in (50, 95, 99)
        ),
        _own("latency_sketch", ColumnType.BYTES, "KLL sketch of these milliseconds (DataSketches).", required=False),
        _own("contract_version", ColumnType.STRING, "Version of the contract when the row was made."),
        _own("policy_version", ColumnType.STRING, "Version of the policy when the row was made."),
        _own("batch_id", ColumnType.STRING, "Commit group that wrote the row."),
    )
    return Table(dataset, name, columns, "minute", "What became of each stream's events, by minute and event type.")


def tables(contract: Contract, policy: Policy) -> dict[str, Table]:
    """Every table that the pipeline of one stream writes, by role: raw, anonymized, dead, unknown."""
    return {
        "raw": raw_table(contract),
        "anonymized": anonymized_table(contract, policy),
        "dead": dead_letter_table(),
        "unknown": unknown_field_table(),
    }
