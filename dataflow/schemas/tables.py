"""The tables of a stream."""

from dataclasses import replace

from dataflow import names
from dataflow.contract import Contract, Field, FieldType
from dataflow.methods import Method
from dataflow.policy import Policy
from dataflow.schemas.columns import OF_FIELD, Column, ColumnType, Table, own
from dataflow.schemas.operations import dead_letter_table, unknown_field_table


def _stream_columns(coarse: str) -> tuple[Column, ...]:
    return (
        own("event_token", ColumnType.STRING, "Keyed token of the event's identity; the same in raw and anonymized."),
        own("event_time", ColumnType.TIMESTAMP, f"When the event happened{coarse}."),
        own("receive_time", ColumnType.TIMESTAMP, f"When the broker accepted the message{coarse}."),
        own("key_epoch", ColumnType.INT64, "Which key epoch, by event time, the tokens were made in."),
        own("contract_version", ColumnType.STRING, "Version of the contract that the event was read with."),
        own("policy_version", ColumnType.STRING, "Version of the policy that the event was anonymized under."),
        own("batch_id", ColumnType.STRING, "Commit group that wrote the row."),
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
    columns are as coarse as the policy makes the contract's event time.
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


def tables(contract: Contract, policy: Policy) -> dict[str, Table]:
    """Every table that the pipeline of one stream writes, by role: raw, anonymized, dead, unknown."""
    return {
        "raw": raw_table(contract),
        "anonymized": anonymized_table(contract, policy),
        "dead": dead_letter_table(),
        "unknown": unknown_field_table(),
    }
