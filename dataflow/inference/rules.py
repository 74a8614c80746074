"""The entry of policy.yaml that a new contract needs: where the rules of its classifications do not fit a field."""

import tempfile
from pathlib import Path

from dataflow.contract import Contract, load_contract
from dataflow.errors import NorenError
from dataflow.inference.insert import appended, node_at
from dataflow.inference.write import scalar
from dataflow.policy.model import Policy, misfit
from dataflow.review.check import check_contract
from dataflow.review.located import parse_located

TIME_RULE = "{method: truncate_time, unit: hour}"


def needed(contract: Contract, policy: Policy) -> dict[str, str]:
    """path -> rule: the event time is coarsened, a field that its classification's rule does not fit is dropped."""
    rules: dict[str, str] = {}
    for leaf in contract.leaves():
        method, entry = policy.rule(contract, leaf)
        if leaf.path == contract.event_time and method.name == "drop":
            rules[leaf.path] = TIME_RULE
        elif misfit(method, leaf) and not entry.startswith("streams."):
            rules[leaf.path] = "{method: drop}"
    return rules


def lines(stream: str, rules: dict[str, str]) -> list[str]:
    """The entry under `streams:`, without its indentation."""
    return [f"{stream}:", "  fields:", *(f"    {scalar(path)}: {rule}" for path, rule in rules.items())]


def added(text: str, stream: str, rules: dict[str, str]) -> str:
    """The policy's text with the rules put in.

    Raises NorenError when the text is no YAML, or written so that nothing can be added.
    """
    root = parse_located(text).root
    fields = node_at(root, ("streams", stream, "fields"))
    if fields is not None:
        return appended(
            text, fields, [f"{scalar(path)}: {rule}" for path, rule in rules.items()], f"streams.{stream}.fields"
        )
    if node_at(root, ("streams", stream)) is not None:
        raise NorenError(f"policy.yaml: streams.{stream}: has no fields; add fields: with {', '.join(rules)}.")
    streams = node_at(root, ("streams",))
    if streams is None:
        return text.rstrip("\n") + "\nstreams:\n" + "".join(f"  {line}\n" for line in lines(stream, rules))
    return appended(text, streams, lines(stream, rules), "policy.yaml: streams")


def checked(stream: str, text: str) -> Contract:
    """The contract in a text that was made here.

    Raises NorenError when it would not pass `noren contract check`: then nothing may be written.
    """
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / f"{stream}.yaml"
        path.write_text(text, "utf-8")
        if problems := check_contract(path, path.parent):
            raise NorenError("the contract would not pass: " + " ".join(map(str, problems)))
        return load_contract(path)
