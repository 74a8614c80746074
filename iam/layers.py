"""`layers.yaml`: what a new dataset of each layer gets, and to which kinds of groups it may be granted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataflow.errors import NorenError
from dataflow.yaml_file import read_yaml

REQUIRED = ("description", "location", "partition_expiry_days", "labels", "groups", "apply")
OPTIONAL = ("principals",)
ROLES = ("READER", "WRITER", "OWNER")
"""The roles that a layer may allow, from the narrowest on."""
MODES = ("authoritative", "additive")


@dataclass(frozen=True)
class Layer:
    """What holds for a dataset.

    description, location, labels: of a new dataset.
    partition_expiry_days: default partition expiry of a new dataset, days; None: kept until deleted.
    groups: kind of groups that it may be granted to -> the broadest role that they may have.
    apply: `authoritative` (entries that the files lack are removed) or `additive` (only those that this tool added).
    principals: service identities (what stands before the @) that it may be granted to; None: all that are declared.
    """

    name: str
    description: str
    location: str
    partition_expiry_days: int | None
    labels: Mapping[str, str]
    groups: Mapping[str, str]
    apply: str
    principals: frozenset[str] | None = None


class Layers:
    """The layers, by name, with what single datasets override."""

    def __init__(self, layers: Mapping[str, Mapping[str, Any]], where: str) -> None:
        self._where = where
        self._layers = {name: _layer(name, content, where) for name, content in layers.items()}
        self._datasets: dict[str, Layer] = {}
        for name, content in layers.items():
            for dataset, overrides in (content.get("datasets") or {}).items():
                if unknown := sorted(overrides.keys() - {*REQUIRED, *OPTIONAL}):
                    raise NorenError(f"{where}, {name}.datasets.{dataset}: unknown key {unknown[0]!r}.")
                if layer_name(dataset) != name:
                    raise NorenError(f"{where}, {name}.datasets.{dataset}: the dataset is not of the layer {name}.")
                merged = {key: value for key, value in content.items() if key != "datasets"} | overrides
                self._datasets[dataset] = _layer(name, merged, where)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self._layers.values())

    def get(self, dataset: str) -> Layer | None:
        """The layer of a dataset, or None when layers.yaml has none."""
        return self._datasets.get(dataset) or self._layers.get(layer_name(dataset))

    def of(self, dataset: str) -> Layer:
        """The layer of a dataset `<layer>__<domain>` (or `<layer>`). Raises NorenError when layers.yaml has none."""
        if layer := self.get(dataset):
            return layer
        known = ", ".join(sorted(self._layers))
        raise NorenError(f"{self._where}: no layer for the dataset {dataset}: known are {known}.")


def layer_name(dataset: str) -> str:
    return dataset.partition("__")[0]


def read_layers(path: Path) -> Layers:
    """The file `iam/layers.yaml`. Raises NorenError, one sentence, when it is missing or wrong."""
    where = f"iam/{path.name}"
    content = read_yaml(path, where)
    if not isinstance(content, dict) or not all(isinstance(layer, dict) for layer in content.values()):
        raise NorenError(f"{where}: must be a mapping of layers.")
    return Layers(content, where)


def _layer(name: str, content: Mapping[str, Any], where: str) -> Layer:
    here = f"{where}, {name}"
    if unknown := sorted(content.keys() - {*REQUIRED, *OPTIONAL, "datasets"}):
        raise NorenError(f"{here}: unknown key {unknown[0]!r}.")
    if missing := [key for key in REQUIRED if key not in content]:
        raise NorenError(f"{here}: {missing[0]!r} is missing.")
    days = content["partition_expiry_days"]
    if days is not None and (not isinstance(days, int) or isinstance(days, bool) or days <= 0):
        raise NorenError(f"{here}: partition_expiry_days must be a number of days or null; it is {days!r}.")
    if content["apply"] not in MODES:
        raise NorenError(f"{here}: apply must be {' or '.join(MODES)}; it is {content['apply']!r}.")
    return Layer(
        name=name,
        description=str(content["description"]),
        location=str(content["location"]),
        partition_expiry_days=days,
        labels={str(key): str(value) for key, value in content["labels"].items()},
        groups=_groups(content["groups"], here),
        apply=content["apply"],
        principals=_principals(content.get("principals"), here),
    )


def _groups(groups: Any, here: str) -> dict[str, str]:
    """A mapping of kinds to the broadest role; a list of kinds allows each of them every role."""
    if isinstance(groups, list):
        groups = dict.fromkeys(groups, ROLES[-1])
    if not isinstance(groups, dict) or not all(isinstance(kind, str) for kind in groups):
        raise NorenError(f"{here}: groups must be a mapping of kinds of groups to the broadest role of each.")
    if wrong := [role for role in groups.values() if role not in ROLES]:
        raise NorenError(f"{here}: groups: a role is one of {', '.join(ROLES)}; it is {wrong[0]!r}.")
    return dict(groups)


def _principals(names: Any, here: str) -> frozenset[str] | None:
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise NorenError(f"{here}: principals must be a list of names of service identities.")
    return frozenset(names)
