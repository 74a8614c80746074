"""The anonymizer once more, one event at a time in plain Python: what the columnar one is compared with."""

import datetime
import json
from collections.abc import Callable
from typing import Any

import polars as pl
from hypothesis import strategies as st

from dataflow.contract import Classification, Contract, Field, FieldType
from dataflow.keys import KeyRing
from dataflow.keys.epochs import epoch_of
from dataflow.methods import Context
from dataflow.policy import Policy

UNIX = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

USER_AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 "
    "Mobile/15E148 Safari/604.1",
    "curl/8.5.0",
    "",
)


def rows(
    event: dict[str, Any],
    received: int,
    contract: Contract,
    policy: Policy,
    keys: KeyRing,
    country: Callable[[pl.Series], pl.Series] | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(raw row, anonymized row) of one good event, without batch_id."""
    values = {column.path: _value(event, column) for column in contract.columns()}
    columns = {column.path: column for column in contract.columns()}
    time = values[contract.event_time]
    epoch = epoch_of(time)
    key = keys.token_key(policy.purpose(contract), epoch)
    context = Context(key, country)
    accepted = UNIX + datetime.timedelta(microseconds=received)
    token = key.token("\x1f".join(str(values[path]) for path in contract.identity))
    coarse = policy.method(contract, columns[contract.event_time])

    def own(event_time: Any, receive_time: Any) -> dict[str, Any]:
        return {
            "event_token": token,
            "event_time": event_time,
            "receive_time": receive_time,
            "key_epoch": epoch,
            "contract_version": contract.version,
            "policy_version": policy.version,
        }

    def anonymized(field: Field) -> tuple[bool, Any]:
        """(whether anything of the field is left, its value)"""
        if field.type is FieldType.OBJECT:
            children = {child.name: anonymized(child) for child in field.children}
            left = {name: value for name, (stays, value) in children.items() if stays}
            return bool(left), left if any(value is not None for value in left.values()) else None
        return changed(field, values[field.path])

    def changed(field: Field, value: Any) -> tuple[bool, Any]:
        """The same of one value, whatever is in it."""
        if field.items is not None:
            stays, _ = changed(field.items, None)
            items = [changed(field.items, item)[1] for item in value or []]
            return stays, [item for item in items if item is not None]
        if field.type is FieldType.OBJECT:
            parts = {
                child.name: changed(child, None if value is None else value[child.name]) for child in field.children
            }
            left = {name: part for name, (stays, part) in parts.items() if stays}
            return bool(left), None if value is None else left
        method = policy.method(contract, field)
        return method.name != "drop", None if value is None else method.reference(value, field, context)

    time_field = columns[contract.event_time]
    raw = own(time, accepted) | {field.name: _raw(field, values) for field in contract.fields}
    open_ = own(coarse.reference(time, time_field, context), coarse.reference(accepted, time_field, context))
    for field in contract.fields:
        stays, value = anonymized(field)
        if stays:
            open_[field.name] = value
    for derived in policy.stream(contract).derive:
        value = values[derived.source]
        field = columns[derived.source]
        open_[derived.name] = None if value is None else derived.method.reference(value, field, context)
    return raw, open_


def _value(event: dict[str, Any], column: Field) -> Any:
    value: Any = event
    for name in column.path.split("."):
        value = None if value is None else value.get(name)
    return _typed(value, column)


def _typed(value: Any, field: Field) -> Any:
    if field.items is not None:
        return [_typed(item, field.items) for item in value or []]
    if value is None:
        return None
    if field.type is FieldType.OBJECT:
        return {child.name: _typed(value.get(child.name), child) for child in field.children}
    if field.type is FieldType.MAP:
        return json.dumps(value)
    if field.type is FieldType.TIMESTAMP:
        return datetime.datetime.fromisoformat(value).astimezone(datetime.UTC)
    if field.type is FieldType.DATE:
        return datetime.date.fromisoformat(value)
    return float(value) if field.type is FieldType.NUMBER else value


def _raw(field: Field, values: dict[str, Any]) -> Any:
    if field.type is not FieldType.OBJECT:
        return values[field.path]
    row = {child.name: _raw(child, values) for child in field.children}
    return row if field.required or any(value is not None for value in row.values()) else None


def events(contract: Contract, newest: datetime.datetime) -> st.SearchStrategy[dict[str, Any]]:
    """Good events of a contract, not newer than `newest`; optional fields are there, null or absent."""
    return _object(contract, contract.fields, newest.replace(tzinfo=None))


def _object(contract: Contract, fields: tuple[Field, ...], newest: datetime.datetime) -> st.SearchStrategy[Any]:
    required = {field.name: _values(contract, field, newest) for field in fields if field.required}
    optional = {
        field.name: st.one_of(st.none(), _values(contract, field, newest)) for field in fields if not field.required
    }
    return st.fixed_dictionaries(required, optional=optional)


def _values(contract: Contract, field: Field, newest: datetime.datetime) -> st.SearchStrategy[Any]:
    limits = field.constraints
    match field.type:
        case FieldType.OBJECT:
            return _object(contract, field.children, newest)
        case FieldType.INTEGER:
            low = -(2**63) if limits.minimum is None else int(limits.minimum)
            return st.integers(low, 2**63 - 1 if limits.maximum is None else int(limits.maximum))
        case FieldType.NUMBER:
            low, high = limits.minimum, limits.maximum
            floats = st.floats(low, high, allow_nan=False, allow_infinity=False)
            return floats if low is None else st.one_of(floats, st.integers(int(low), int(high or 1000)))
        case FieldType.BOOLEAN:
            return st.booleans()
        case FieldType.DATE:
            return st.dates().map(str)
        case FieldType.TIMESTAMP if field.path == contract.event_time:
            return st.datetimes(datetime.datetime(2000, 1, 2), newest - datetime.timedelta(1)).flatmap(_texts)
        case FieldType.TIMESTAMP:
            return st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9999, 12, 30)).flatmap(_texts)
        case FieldType.STRING:
            return _strings(field)


def _texts(moment: datetime.datetime) -> st.SearchStrategy[str]:
    """One moment as RFC 3339 with different offsets, and in the shape that most clients write."""
    offsets = st.integers(-14 * 60, 14 * 60).map(
        lambda minutes: moment.replace(tzinfo=datetime.timezone(datetime.timedelta(minutes=minutes))).isoformat()
    )
    return st.one_of(st.just(moment.isoformat(timespec="microseconds") + "Z"), offsets)


def _strings(field: Field) -> st.SearchStrategy[str]:
    limits = field.constraints
    low, high = limits.min_length or 0, limits.max_length
    text = st.text(min_size=low, max_size=high if high is not None else 40)
    if limits.values:
        return st.sampled_from(limits.values)
    if limits.format == "uuid":
        return st.uuids().flatmap(lambda id: st.sampled_from([str(id), str(id).upper()]))
    if limits.pattern == "@":
        return st.text(max_size=20).map(lambda some: some + "@example.com")
    if limits.pattern is not None:
        return st.from_regex(limits.pattern.replace("$", r"\Z"))
    if field.classification is Classification.NETWORK:
        mapped = st.ip_addresses(v=4).map(lambda address: f"::ffff:{address}")
        known = st.sampled_from(["203.0.113.9", "2001:db8:1::9", "198.51.100.77", "192.0.2.200", "2002:c000:204::1"])
        return st.one_of(st.ip_addresses().map(str), mapped, known, text)
    if field.classification is Classification.FREE_TEXT:
        parts = st.sampled_from(
            ["ana@example.com", "10.0.0.1", "2001:db8::1", "090-1234-5678", "０９０", "は", " ", "1"]
        )
        return st.one_of(text, st.lists(st.one_of(parts, st.text(max_size=3)), max_size=6).map("".join))
    versions = st.lists(st.integers(0, 99).map(str), min_size=1, max_size=4).map(".".join)
    likely = st.one_of(versions, st.sampled_from(USER_AGENTS))
    return st.one_of(text, likely.filter(lambda some: low <= len(some) <= (high or 1000)))
