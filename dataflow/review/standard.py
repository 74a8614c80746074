"""The Open Data Contract Standard's own JSON schema, every error of it."""

import json
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dataflow.errors import NorenError
from dataflow.review.located import Place, members


def standard_errors(document: Any) -> Iterator[tuple[Place, str]]:
    """(place, message) of everything that the standard refuses."""
    if not isinstance(document, dict):
        yield (), "must be a mapping: an Open Data Contract Standard document."
        return
    from jsonschema.exceptions import best_match

    untyped = set(_untyped(document))
    for error in _validator().iter_errors(document):
        found = best_match([error]) or error
        place = tuple(found.absolute_path)
        if place in untyped or any(place[: len(other)] == other for other in untyped):
            continue  # the schema's conditions all hold for a property without a type: see below
        yield place, f"{found.message.splitlines()[0][:200]}."
    for place in sorted(untyped, key=str):
        yield place, "logicalType is missing."


@cache
def _validator() -> Any:
    from jsonschema import Draft201909Validator

    # read beside the package, not through it: importing it loads pydantic (0.2 s)
    spec = find_spec("open_data_contract_standard")
    if spec is None or not spec.submodule_search_locations:
        raise NorenError("The package open-data-contract-standard is missing: run the set-up again.")
    schema = json.loads((Path(spec.submodule_search_locations[0]) / "schema.json").read_text(encoding="utf-8"))
    return Draft201909Validator(schema)


def _untyped(document: dict[str, Any]) -> Iterator[Place]:
    """Places of fields without a logicalType. Left to the schema, each gives a dozen errors about other types."""
    for place, schema in members(document.get("schema"), ("schema",)):
        yield from _untyped_below(schema, place)


def _untyped_below(entry: dict[str, Any], place: Place) -> Iterator[Place]:
    for inner, child in members(entry.get("properties"), (*place, "properties")):
        if "logicalType" not in child:
            yield inner
        yield from _untyped_below(child, inner)
