"""Mapping files: YAML, checked against mapping.schema.json and against the contract."""

import datetime
import difflib
import hashlib
import json
import zoneinfo
from pathlib import Path
from typing import Any

from dataflow.contract import Contract
from dataflow.errors import NorenError
from dataflow.sources.eras.convert import Era, Rule
from dataflow.sources.eras.mapping import Mapping
from dataflow.yaml_file import read_yaml

SCHEMA = Path(__file__).with_name("mapping.schema.json")


def load_mapping(path: Path, contract: Contract) -> Mapping:
    """The mapping in `path`.

    Raises NorenError naming the file and the place when it is no valid mapping, is another stream's, or speaks of a
    field that the contract does not declare.
    """
    document = read_yaml(path, path.name)
    _validate(path.name, document)
    if document["stream"] != contract.stream:
        raise NorenError(f"{path.name}: stream: it maps to {document['stream']}, not to {contract.stream}.")
    names = [era["name"] for era in document["eras"]]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise NorenError(f"{path.name}: eras: {', '.join(twice)} is there twice.")
    eras = tuple(_era(path.name, era, contract) for era in document["eras"])
    return Mapping(contract.stream, eras, contract.event_time, hashlib.sha256(path.read_bytes()).hexdigest()[:16])


def _validate(file: str, document: Any) -> None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    # dates that YAML read as such are text again
    document = json.loads(json.dumps(document, default=_iso))
    error = best_match(Draft202012Validator(json.loads(SCHEMA.read_text())).iter_errors(document))
    if error is not None:
        raise NorenError(f"{file}: {error.json_path}: {error.message.splitlines()[0][:300]}.")


def _iso(value: Any) -> str:
    if isinstance(value, datetime.date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a mapping")


def _era(file: str, era: dict[str, Any], contract: Contract) -> Era:
    where = f"{file}: {era['name']}"
    rules = tuple(_rule(where, target, entry, contract) for target, entry in era["fields"].items())
    start, end = (_moment(where, name, era.get(name)) for name in ("from", "until"))
    if start is not None and end is not None and start >= end:
        raise NorenError(f"{where}: from lies behind until.")
    return Era(
        name=era["name"],
        rules=rules,
        files=tuple(pattern if pattern.startswith("*") else f"*{pattern}" for pattern in era.get("files", ())),
        has=tuple(era.get("has", ())),
        start=start,
        end=end,
        copy=era.get("others", "copy") == "copy",
        read=frozenset(path for rule in rules for path in rule.reads),
    )


def _moment(where: str, name: str, value: Any) -> int | None:
    if value is None:
        return None
    try:
        moment = value if isinstance(value, datetime.datetime) else datetime.datetime.fromisoformat(str(value))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise NorenError(f"{where}: {name}: must be a time with a zone, such as 2019-07-01T00:00:00Z.")
    return round(moment.timestamp() * 1_000_000)


def _rule(where: str, target: str, entry: Any, contract: Contract) -> Rule:
    declared = {column.path for column in contract.columns()}
    if target not in declared:
        near = difflib.get_close_matches(target, declared, 1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise NorenError(f"{where}: {target}: the contract declares no such field{hint}")
    if isinstance(entry, str):
        return Rule(target, (entry,))
    zone = None
    if "zone" in entry:
        try:
            zone = zoneinfo.ZoneInfo(entry["zone"])
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise NorenError(f"{where}: {target}: zone: {entry['zone']} is no time zone.") from error
    paths = entry.get("from", ())
    return Rule(
        target,
        paths=(paths,) if isinstance(paths, str) else tuple(paths),
        join=tuple(entry.get("join", {}).get("paths", ())),
        separator=entry.get("join", {}).get("separator", ""),
        uuid_of=tuple(entry.get("uuid_of", ())),
        constant=entry.get("value"),
        default=entry.get("default"),
        strip=entry.get("strip", False),
        lower=entry.get("lower", False),
        map={_key(old): new for old, new in entry["map"].items()} if "map" in entry else None,
        otherwise=entry.get("otherwise", "refuse"),
        multiply=entry.get("multiply"),
        add=entry.get("add"),
        time=entry.get("time", ""),
        zone=zone,
        type=entry.get("type", ""),
    )


def _key(old: Any) -> str:
    """YAML reads `yes` and `1` as no text; a row's value is compared as text."""
    return ("true" if old else "false") if isinstance(old, bool) else str(old)
