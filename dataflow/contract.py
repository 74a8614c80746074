"""Contracts: what each field of a stream *is*.

A contract is an Open Data Contract Standard v3 file (https://bitol-io.github.io/open-data-contract-standard/), one
a stream,
`dataflow/contracts/<stream>.yaml`. Of the standard these parts carry meaning here:

- `name` is the stream, `domain` the domain of its datasets;
- `primaryKey` fields, in the order of `primaryKeyPosition`, are the event's identity;
- the schema's custom property `eventTime` names the field that says when the event happened;
- the schema's custom property `maxMessageBytes` bounds an event (default 1 MiB);
- the schema's custom property `format` is how messages carry events: json (default), ndjson, avro, protobuf,
  log_entry, debezium;
- the schema's custom property `subject` names the identifier field of the person that an event is about (optional);
- the schema's custom property `eventType` names the string field that says what kind of event it is (optional);
- `logicalType: array` has `items`, scalars or objects; `logicalType: map`, with `map: {key: {logicalType: string},
  value: {logicalType: object}}`, is a free-form object, kept as JSON text;
- `classification` says what kind of data a field is; a field without one inherits its parent's.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dataflow.errors import NorenError
from dataflow.yaml_file import read_yaml

RESERVED = frozenset(
    {"event_token", "event_time", "receive_time", "key_epoch", "contract_version", "policy_version", "batch_id"}
)
"""Columns that every table of a stream has beside its fields."""

_FREE_FORM = {"key": {"logicalType": "string"}, "value": {"logicalType": "object"}}
"""What the standard's `map` must say of a free-form object."""

COLUMN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")

DEFAULT_MAX_MESSAGE_BYTES = 1 << 20

CHANGE = "change"
"""The object that says what a change of a database's row is: see dataflow/core/formats/debezium.py."""


class FieldType(StrEnum):
    """Logical types of the standard that the core handles."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    DATE = "date"
    OBJECT = "object"
    ARRAY = "array"
    MAP = "map"
    """An object with keys that nobody declared. A key may be data itself, such as an account number."""


class Format(StrEnum):
    """How a stream's messages carry its events; see dataflow/core/formats."""

    JSON = "json"
    NDJSON = "ndjson"
    AVRO = "avro"
    PROTOBUF = "protobuf"
    LOG_ENTRY = "log_entry"
    DEBEZIUM = "debezium"


class Classification(StrEnum):
    """What kind of data a field holds; the policy has a rule for each."""

    IDENTIFIER = "identifier"
    QUASI_IDENTIFIER = "quasi_identifier"
    LOCATION = "location"
    NETWORK = "network"
    FREE_TEXT = "free_text"
    SENSITIVE = "sensitive"
    INTERNAL = "internal"
    PUBLIC = "public"


@dataclass(frozen=True)
class Constraints:
    """What a value must satisfy; None where the contract says nothing.

    Lengths count a string's characters, an array's items.
    """

    minimum: float | None = None
    maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    format: str | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Field:
    """One declared field.

    path: dotted from the event's root, e.g. `device.os_version`.
    classification: its own or the nearest parent's; None where neither has one (then it is dropped).
    children: the fields of an object, else empty.
    items: what each item of an array is, else None; its name and path are the array's.
    """

    name: str
    path: str
    type: FieldType
    required: bool
    classification: Classification | None
    description: str
    constraints: Constraints
    children: tuple["Field", ...] = ()
    items: "Field | None" = None

    def leaves(self) -> Iterator["Field"]:
        """This field, or the fields below it that hold values, those inside arrays too, in the contract's order."""
        if self.items is not None:
            yield from self.items.leaves()
        elif self.type is not FieldType.OBJECT:
            yield self
        for child in self.children:
            yield from child.leaves()

    def columns(self) -> Iterator["Field"]:
        """This field, or the fields below it that are one value an event; an array is one value."""
        if self.type is not FieldType.OBJECT:
            yield self
        for child in self.children:
            yield from child.columns()


@dataclass(frozen=True)
class Contract:
    """A stream's declared events.

    identity: paths of the fields that together name an event.
    event_time: path of the field that says when the event happened.
    subject: path of the field that says whom the event is about, None where nothing does.
    event_type: path of the field that says what kind of event it is, None where all are of one kind.
    """

    stream: str
    domain: str
    version: str
    description: str
    fields: tuple[Field, ...]
    identity: tuple[str, ...]
    event_time: str
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
    format: Format = Format.JSON
    subject: str | None = None
    event_type: str | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """Of a stream of changes: the paths that name the row that changed; of others the identity."""
        return tuple(path for path in self.identity if not path.startswith(f"{CHANGE}."))

    def leaves(self) -> list[Field]:
        """All fields that hold values, those inside arrays too, in the contract's order: what a policy speaks about."""
        return [leaf for field in self.fields for leaf in field.leaves()]

    def columns(self) -> list[Field]:
        """All fields that are one value an event, in the contract's order: scalars, maps, and arrays as a whole."""
        return [column for field in self.fields for column in field.columns()]


def load_contracts(directory: Path) -> dict[str, Contract]:
    """Every contract of `directory`, by stream.

    Raises NorenError when the directory holds none or one of them is wrong.
    """
    contracts = {path.stem: load_contract(path) for path in sorted(directory.glob("*.yaml"))}
    if not contracts:
        raise NorenError(f"{directory} holds no contract: add one <stream>.yaml (Open Data Contract Standard v3).")
    return contracts


def load_contract(path: Path) -> Contract:
    """The contract in `path`, whose stem is the stream's name.

    Raises NorenError naming the file and the field when it is no valid contract.
    """
    document = read_yaml(path, path.name)
    _validate(path, document)
    return _Reader(path.name).contract(document, path.stem)


def _validate(path: Path, document: Any) -> None:
    """Check against the standard's own JSON schema."""
    from jsonschema import Draft201909Validator
    from jsonschema.exceptions import best_match

    # The schema is read beside the package, not through it: importing it loads pydantic (0.2 s).
    spec = find_spec("open_data_contract_standard")
    if spec is None or not spec.submodule_search_locations:
        raise NorenError("The package open-data-contract-standard is missing: run the set-up again.")
    schema = json.loads((Path(spec.submodule_search_locations[0]) / "schema.json").read_text(encoding="utf-8"))
    for where in _untyped(document):
        # the schema's conditions all hold for a property without a type, and best_match names one of them at random
        raise NorenError(f"{path.name}: {where}: logicalType is missing.")
    error = best_match(Draft201909Validator(schema).iter_errors(document))
    if error is not None:
        raise NorenError(f"{path.name}: {error.json_path}: {error.message.splitlines()[0][:300]}.")


def _untyped(entry: Any, where: str = "$") -> Iterator[str]:
    """JSON paths of properties without a logicalType, at any depth."""
    if not isinstance(entry, dict):
        return
    for part in ("schema", "properties"):
        for number, child in enumerate(entry[part]) if isinstance(entry.get(part), list) else ():
            place = f"{where}.{part}[{number}]"
            if part == "properties" and isinstance(child, dict) and "logicalType" not in child:
                yield place
            yield from _untyped(child, place)


class _Reader:
    """Turns a valid ODCS document into a Contract; every complaint names the file and the field."""

    def __init__(self, file: str) -> None:
        self.file = file

    def fail(self, where: str, sentence: str) -> NorenError:
        return NorenError(f"{self.file}: {where}: {sentence}")

    def contract(self, document: dict[str, Any], stem: str) -> Contract:
        if document.get("name") != stem:
            raise self.fail("name", f"must be the file's name, {stem}.")
        domain = document.get("domain")
        if not domain or not re.fullmatch(r"[a-z][a-z0-9_]*", domain):
            raise self.fail("domain", "must be a lower-case word; it names the datasets, as in raw__<domain>.")
        schemas = document.get("schema") or []
        if len(schemas) != 1:
            raise self.fail("schema", "must hold exactly one object, the event.")
        schema = schemas[0]
        fields = tuple(self.field(entry, "", None) for entry in schema.get("properties") or [])
        self.distinct(fields)
        custom = {entry["property"]: entry["value"] for entry in schema.get("customProperties") or []}
        keys = list(_keys(schema.get("properties") or []))
        contract = Contract(
            stream=stem,
            domain=domain,
            version=str(document["version"]),
            description=schema.get("description", ""),
            fields=fields,
            identity=tuple(path for _, path in sorted(keys)),
            event_time=str(custom.get("eventTime", "")),
            max_message_bytes=custom.get("maxMessageBytes", DEFAULT_MAX_MESSAGE_BYTES),
            format=self.format(custom.get("format", Format.JSON)),
            subject=custom.get("subject"),
            event_type=custom.get("eventType"),
        )
        self.check(contract)
        return contract

    def format(self, value: Any) -> Format:
        try:
            return Format(value)
        except ValueError:
            raise self.fail("customProperties.format", f"{value} is unknown; use {', '.join(Format)}.") from None

    def check(self, contract: Contract) -> None:
        whole = (FieldType.ARRAY, FieldType.MAP)
        leaves = {leaf.path: leaf for leaf in contract.columns() if leaf.type not in whole}
        if not contract.identity:
            raise self.fail("schema", "no field has primaryKey: true; the identity decides what a duplicate is.")
        always = set(_always_present(contract.fields))
        for path in contract.identity:
            if path not in always:
                raise self.fail(
                    path, "is part of the identity and must be required, and so must every object that it is in."
                )
        time = leaves.get(contract.event_time)
        if time is None or time.type is not FieldType.TIMESTAMP or time.path not in always:
            raise self.fail(
                "customProperties.eventTime", "must name a required timestamp field, in required objects only."
            )
        if contract.subject is not None:
            person = leaves.get(contract.subject)
            known = (FieldType.STRING, FieldType.INTEGER)
            if person is None or person.type not in known or person.classification is not Classification.IDENTIFIER:
                raise self.fail(
                    "customProperties.subject",
                    "must name a string or integer field that is classified as identifier, outside of arrays.",
                )
        if contract.event_type is not None:
            kind = leaves.get(contract.event_type)
            if kind is None or kind.type is not FieldType.STRING:
                raise self.fail("customProperties.eventType", "must name a string field, outside of arrays.")
        if contract.format is Format.DEBEZIUM:
            self.changes(contract)
        for field in contract.fields:
            if field.name.lower() in RESERVED:
                raise self.fail(field.path, "is the name of a column that every table has; rename the field.")
        longest = contract.max_message_bytes
        if type(longest) is not int or longest < 1:
            raise self.fail("customProperties.maxMessageBytes", "must be a whole number of bytes above 0.")

    def changes(self, contract: Contract) -> None:
        """A stream of changes: a key, which change of it, and values that a delete does not have."""
        if f"{CHANGE}.version" not in contract.identity or len(contract.key) == 0:
            raise self.fail("schema", f"changes are told apart by the row's key and {CHANGE}.version: the identity.")
        for field in contract.fields:
            if field.required and field.name != CHANGE and field.path not in contract.identity:
                raise self.fail(field.path, "must not be required: of a deleted row only the key is left.")

    def field(self, entry: dict[str, Any], parent: str, inherited: Classification | None) -> Field:
        name = entry.get("name", "")
        path = f"{parent}.{name}" if parent else name
        if not COLUMN_NAME.fullmatch(name):
            raise self.fail(path, "a field's name is letters, digits and underscores, as BigQuery wants it.")
        try:
            kind = FieldType(entry["logicalType"])
        except ValueError:
            kinds = ", ".join(FieldType)
            raise self.fail(path, f"logicalType {entry['logicalType']} is not supported; use {kinds}.") from None
        classification = inherited
        if "classification" in entry:
            try:
                classification = Classification(entry["classification"])
            except ValueError:
                known = ", ".join(Classification)
                raise self.fail(path, f"classification {entry['classification']} is unknown; use {known}.") from None
        children = tuple(self.field(child, path, classification) for child in entry.get("properties") or [])
        if (kind is FieldType.OBJECT) != bool(children):
            raise self.fail(path, "an object needs properties, and only an object has them.")
        if kind is FieldType.MAP and entry["map"] != _FREE_FORM:
            raise self.fail(path, "map: must be {key: {logicalType: string}, value: {logicalType: object}}: free-form.")
        items = self.items(entry, kind, parent, classification)
        self.distinct(children)
        return Field(
            name=name,
            path=path,
            type=kind,
            required=bool(entry.get("required", False)),
            classification=classification,
            description=entry.get("description", ""),
            constraints=self.constraints(entry, kind, path),
            children=children,
            items=items,
        )

    def items(
        self, entry: dict[str, Any], kind: FieldType, parent: str, inherited: Classification | None
    ) -> Field | None:
        path = f"{parent}.{entry['name']}" if parent else entry["name"]
        if (kind is FieldType.ARRAY) != ("items" in entry):
            raise self.fail(path, "an array needs items, and only an array has them.")
        if kind is not FieldType.ARRAY:
            return None
        described = {"description": entry.get("description", "")}
        items = self.field(described | entry["items"] | {"name": entry["name"], "required": True}, parent, inherited)
        if items.type is FieldType.ARRAY or any(field.type is FieldType.MAP for field in (items, *_below(items))):
            raise self.fail(path, "an array's items are scalars or objects without maps: BigQuery nests no arrays.")
        return items

    def distinct(self, fields: tuple[Field, ...]) -> None:
        seen: set[str] = set()
        for field in fields:
            if field.name.lower() in seen:
                raise self.fail(field.path, "another field of the object has this name; BigQuery ignores case.")
            seen.add(field.name.lower())

    def constraints(self, entry: dict[str, Any], kind: FieldType, path: str) -> Constraints:
        options = entry.get("logicalTypeOptions") or {}
        known = {"minimum", "maximum", "minLength", "maxLength", "pattern", "format"}
        if kind is FieldType.ARRAY:
            known = {"minItems", "maxItems"}
        if unknown := sorted(set(options) - known):
            raise self.fail(path, f"logicalTypeOptions {', '.join(unknown)}: not supported; remove or rephrase.")
        if "format" in options and (kind, options["format"]) != (FieldType.STRING, "uuid"):
            raise self.fail(path, f"format {options['format']} is not supported; use uuid on a string or a pattern.")
        values = tuple(str(item["value"]) for item in entry.get("enum") or [])
        if values and kind is not FieldType.STRING:
            raise self.fail(path, "an enum is supported on strings only.")
        return Constraints(
            minimum=options.get("minimum"),
            maximum=options.get("maximum"),
            min_length=options.get("minItems" if kind is FieldType.ARRAY else "minLength"),
            max_length=options.get("maxItems" if kind is FieldType.ARRAY else "maxLength"),
            pattern=options.get("pattern"),
            format=options.get("format"),
            values=values,
        )


def _always_present(fields: tuple[Field, ...]) -> Iterator[str]:
    """Paths of the values that every event has: required, in required objects only."""
    for field in fields:
        if field.required:
            yield field.path
            yield from _always_present(field.children)


def _below(field: Field) -> Iterator[Field]:
    """Every field below this one."""
    for child in (*field.children, *([field.items] if field.items else [])):
        yield child
        yield from _below(child)


def _keys(entries: list[dict[str, Any]], parent: str = "") -> Iterator[tuple[int, str]]:
    """(primaryKeyPosition, path) of every primary-key property, at any depth."""
    for entry in entries:
        path = f"{parent}.{entry['name']}" if parent else entry["name"]
        if entry.get("primaryKey"):
            yield int(entry.get("primaryKeyPosition", 0)), path
        yield from _keys(entry.get("properties") or [], path)
