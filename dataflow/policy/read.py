"""From policy.yaml to a Policy. Everything that is wrong is said at once, each with its line.

The file has `version`, `classifications` (classification -> rule), `streams` (stream -> `purpose`, `fields` with a rule
for a path, `derive` with a rule and its `from` for a column) and `dead_letters.attributes` (names that may stand in
clear). A rule is `method` and the method's parameters.
"""

import difflib
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import yaml

from dataflow.contract import Classification
from dataflow.errors import NorenError
from dataflow.methods import Method, registry
from dataflow.methods.simple import Drop
from dataflow.policy.findings import Finding, refuse
from dataflow.policy.model import Derived, Policy, StreamPolicy
from dataflow.yaml_file import no_yaml

PURPOSE = re.compile(r"[a-z][a-z0-9_]*")

OWN_PURPOSES = frozenset({"journal", "dead_letter"})
"""Purposes of the house's own keys: a stream's tokens are never made with one of these."""


def load_policy(path: Path) -> Policy:
    """The policy in `path`.

    Raises NorenError naming the file and the entry when something in it is wrong: a PolicyError with all of it.
    """
    policy, findings = read_policy(read_text(path), path.name, path.parent)
    refuse(findings)
    return policy


def read_text(path: Path) -> str:
    """Raises NorenError when the file cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise NorenError(f"{path.name}: cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise NorenError(f"{path.name}: cannot be read: {error}.") from error


def read_policy(text: str, file: str, directory: Path | None = None) -> tuple[Policy, list[Finding]]:
    """The policy in `text`, and what is wrong with it. A rule that is wrong is `drop` in the policy given.

    directory: where the files lie that rules read, such as hierarchies; None when there is none.
    Raises NorenError when the text is no YAML at all.
    """
    lines: dict[str, int] = {}
    findings: list[Finding] = []
    loader = yaml.CSafeLoader(text)
    try:
        node = loader.get_single_node()
        for path, line, repeated in _entries(node, ""):
            if repeated:
                findings.append(Finding(file, line, path, f"stands here a second time, first in line {lines[path]}."))
            else:
                lines[path] = line
        document = loader.construct_document(node) if node is not None else None
    except (yaml.YAMLError, ValueError) as error:
        raise NorenError(f"{file}: {no_yaml(error)}") from error
    finally:
        loader.dispose()
    reader = _Reader(file, lines, findings, directory)
    return reader.policy(document), findings


def _entries(node: yaml.Node | None, parent: str) -> Iterator[tuple[str, int, bool]]:
    """(dotted path, line from 1, whether the mapping has the key already) of every key below a node."""
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        path = f"{parent}.{key.value}" if parent else str(key.value)
        yield path, key.start_mark.line + 1, path in seen
        seen.add(path)
        yield from _entries(value, path)


class _Reader:
    """Turns the YAML document into a Policy and notes what is wrong."""

    def __init__(self, file: str, lines: dict[str, int], findings: list[Finding], directory: Path | None) -> None:
        self._directory = directory
        self._file = file
        self._lines = lines
        self._findings = findings

    def note(self, where: str, sentence: str) -> None:
        entry = where
        while entry and entry not in self._lines:
            entry = entry.rpartition(".")[0]
        self._findings.append(Finding(self._file, self._lines.get(entry, 1), where, sentence))

    def mapping(self, value: Any, where: str, allowed: Collection[str] | None = None) -> dict[str, Any]:
        """What of `value` may stand here; the rest is noted."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.note(where, "must be a mapping.")
            return {}
        known: dict[str, Any] = {}
        for name, entry in value.items():
            path = f"{where}.{name}" if where != "top level" else str(name)
            if not isinstance(name, str):
                self.note(path, "must be a text; put it in quotes.")
            elif allowed is not None and name not in allowed:
                self.note(path, f"is unknown; {_hint(name, allowed)}")
            else:
                known[name] = entry
        return known

    def policy(self, document: Any) -> Policy:
        top = self.mapping(document, "top level", ("version", "classifications", "streams", "dead_letters"))
        version = top.get("version")
        if not isinstance(version, str) or not version:
            self.note("version", "must be a text such as 1.0.0; it is stamped on every row.")
        rules = self.mapping(top.get("classifications"), "classifications", tuple(Classification))
        streams = self.mapping(top.get("streams"), "streams")
        dead = self.mapping(top.get("dead_letters"), "dead_letters", ("attributes",))
        attributes = dead.get("attributes") or []
        if not isinstance(attributes, list) or not all(isinstance(name, str) for name in attributes):
            self.note("dead_letters.attributes", "must be a list of attribute names.")
            attributes = []
        return Policy(
            version=str(version),
            classifications={
                Classification(name): self.rule(rule, f"classifications.{name}") for name, rule in rules.items()
            },
            streams={name: self.stream(entry, f"streams.{name}") for name, entry in streams.items()},
            clear_attributes=frozenset(attributes),
            file=self._file,
            lines=self._lines,
        )

    def stream(self, entry: Any, where: str) -> StreamPolicy:
        entry = self.mapping(entry, where, ("purpose", "fields", "derive"))
        fields = self.mapping(entry.get("fields"), f"{where}.fields")
        derive = self.mapping(entry.get("derive"), f"{where}.derive")
        return StreamPolicy(
            purpose=self.purpose(entry.get("purpose"), f"{where}.purpose"),
            fields={path: self.rule(rule, f"{where}.fields.{path}") for path, rule in fields.items()},
            derive=tuple(self.derived(name, rule, f"{where}.derive.{name}") for name, rule in derive.items()),
        )

    def purpose(self, value: Any, where: str) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str) or not PURPOSE.fullmatch(value):
            self.note(where, "must be a lower-case word: letters, digits and underscores.")
            return None
        if value in OWN_PURPOSES:
            self.note(where, f"{value} is a purpose of the pipeline's own keys; choose another.")
            return None
        return value

    def derived(self, name: str, rule: Any, where: str) -> Derived:
        parameters = self.mapping(rule, where)
        source = parameters.pop("from", None)
        if not isinstance(source, str):
            self.note(where, "from: must name the field that it is derived from.")
        return Derived(name, str(source), self.rule(parameters, where))

    def rule(self, rule: Any, where: str) -> Method:
        parameters = self.mapping(rule, where)
        name = parameters.pop("method", None)
        methods = registry()
        if name is None:
            self.note(where, "has no method; write for example {method: drop}.")
            return Drop()
        if name not in methods:
            self.note(f"{where}.method", f"{name} is no method; {_hint(str(name), methods)}")
            return Drop()
        return self.bound(self.convert(methods[name], parameters, where), where)

    def bound(self, method: Method, where: str) -> Method:
        """The method with its files read."""
        if not method.files():
            return method
        if self._directory is None:
            self.note(where, f"reads {', '.join(method.files())}, which is not at hand here.")
            return Drop()
        try:
            return method.bound(self._directory)
        except NorenError as error:
            self.note(where, str(error))
            return Drop()

    def convert(self, method: type[Method], parameters: dict[str, Any], where: str) -> Method:
        """The method with its parameters. Each parameter that is refused is noted and left out."""
        left = dict(parameters)
        for name in [name for name in left if name not in method.__struct_fields__]:
            known = method.__struct_fields__
            hint = _hint(name, known) if known else "it takes none."
            self.note(f"{where}.{name}", f"{method.name} has no such parameter; {hint}")
            del left[name]
        while True:
            try:
                return msgspec.convert(left, method)
            except msgspec.ValidationError as error:
                sentence, _, path = str(error).replace("`", "").partition(" - at ")
                parameter = re.split(r"[.\[]", path.removeprefix("$."))[0]
                sentence = sentence[:1].lower() + sentence[1:]
                if parameter not in left:
                    if len(left) == len(parameters):  # else it misses only what was refused
                        self.note(where, f"{sentence}.")
                    return Drop()
                value = left.pop(parameter)
                if get_origin(kind := get_type_hints(method)[parameter]) is Literal:
                    self.note(f"{where}.{parameter}", f"{value} is no {parameter}; {_hint(str(value), get_args(kind))}")
                else:
                    self.note(f"{where}.{parameter}", f"{sentence}, not {value!r}.")
                if left == parameters:
                    return Drop()


def _hint(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}."
