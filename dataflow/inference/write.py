"""A draft as the text of a contract: Open Data Contract Standard YAML in the house's layout.

Values of the sample are not in it, with one exception: the enums of fields that are public.
"""

import json
import re
from collections.abc import Iterator

from dataflow.inference.draft import ContractDraft, Draft
from dataflow.inference.words import SURE, Guess


def text(draft: ContractDraft) -> str:
    """The contract's YAML."""
    lines = [
        f"# Drafted by `noren contract new` from {draft.events:,} events. Each classification is a proposal with its",
        "# confidence: review them, say what the fields are, and set the version to 1.0.0 when it is agreed.",
        "apiVersion: v3.1.0",
        "kind: DataContract",
        f"id: urn:noren:contract:{draft.stream}",
        f"name: {scalar(draft.stream)}",
        "version: 0.1.0",
        "status: draft",
        f"domain: {scalar(draft.domain)}",
        "schema:",
        f"  - name: {scalar(draft.stream)}",
        "    logicalType: object",
        "    physicalType: table",
        "    customProperties:",
        "      - property: eventTime",
        f"        value: {scalar(draft.event_time)}",
        "    properties:",
    ]
    for field in draft.fields:
        lines += entry(field, "      ")
    return "\n".join(lines) + "\n"


def entry(draft: Draft, indent: str) -> list[str]:
    """The lines of one field in a list of properties that begins at `indent`."""
    lines = [f"name: {scalar(draft.name)}", *_body(draft)]
    return [f"{indent}{'- ' if number == 0 else '  '}{line}" for number, line in enumerate(lines)]


def _body(draft: Draft) -> Iterator[str]:
    for remark in draft.remarks:
        yield f"# {remark}"
    yield f"logicalType: {draft.kind}"
    if draft.options:
        inner = ", ".join(f"{name}: {scalar(value)}" for name, value in draft.options.items())
        yield f"logicalTypeOptions: {{{inner}}}"
    if draft.required:
        yield "required: true"
    if draft.key is not None:
        yield "primaryKey: true"
        yield f"primaryKeyPosition: {draft.key}"
    if draft.values:
        yield f"enum: [{', '.join(f'{{value: {scalar(value)}}}' for value in draft.values)}]"
    if draft.guess is not None:
        yield f"classification: {draft.guess.classification} # {proposal(draft.guess)}"
    if draft.kind == "map":
        yield "map: {key: {logicalType: string}, value: {logicalType: object}}"
    if draft.items is not None:
        yield "items:"
        yield from (f"  {line}" for line in _body(draft.items))
    if draft.children:
        yield "properties:"
        for child in draft.children:
            yield from entry(child, "  ")


def proposal(guess: Guess) -> str:
    """A guess as a comment, e.g. `proposed, 95%: by its name an e-mail address`."""
    return f"proposed, {guess}" + ("; please decide" if guess.confidence < SURE else "")


def scalar(value: str | int | float) -> str:
    """A YAML scalar; in quotes where a plain one might be read as something else, such as `on` or `1.0`."""
    words = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
    if isinstance(value, str) and (not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", value) or value.lower() in words):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
