"""The methods: what can be done to a field. One module a family, one registry.

A method of a third party is a class under the entry point group `noren.methods`.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from dataflow.errors import NorenError
from dataflow.methods import (
    addresses,
    derive,
    encrypt,
    hierarchy,
    maps,
    mask,
    noise,
    numbers,
    places,
    simple,
    text,
    times,
    token,
    versions,
)
from dataflow.methods.base import Context, Method

GROUP = "noren.methods"

BUILT_IN: tuple[type[Method], ...] = (
    simple.Keep,
    simple.Drop,
    simple.Constant,
    token.Token,
    encrypt.Encrypt,
    places.CoarsenLocation,
    places.Geohash,
    times.TruncateTime,
    versions.ReduceVersion,
    addresses.TruncateIp,
    addresses.EmailDomain,
    hierarchy.Hierarchy,
    numbers.Range,
    numbers.AgeBand,
    numbers.Clamp,
    noise.LocalNoise,
    mask.Mask,
    text.Scrub,
    maps.ScrubMap,
    derive.Country,
    derive.City,
    derive.UserAgentFamily,
)


@cache
def registry() -> dict[str, type[Method]]:
    """Every method by name; a third party's cannot replace a built-in one.

    Raises NorenError when a third party's cannot be loaded.
    """
    found = {entry.name: _loaded(entry) for entry in entry_points(group=GROUP)}
    return found | {method.name: method for method in BUILT_IN}


def _loaded(entry: EntryPoint) -> type[Method]:
    """Raises NorenError when the entry point does not lead to a method of its name."""
    package = entry.dist.name if entry.dist else "a package"
    where = f"The method {entry.name} of {package} ({entry.value})"
    try:
        method = entry.load()
    except (ImportError, AttributeError) as error:
        raise NorenError(f"{where} cannot be loaded: {error}; mend or remove the package.") from error
    if not (isinstance(method, type) and issubclass(method, Method)):
        raise NorenError(f"{where} is no class that inherits from dataflow.methods.Method; mend or remove the package.")
    if getattr(method, "name", None) != entry.name or not getattr(method, "accepts", None):
        raise NorenError(f"{where} must have name = {entry.name!r} and say in accepts what it takes.")
    return method


__all__ = ["GROUP", "Context", "Method", "registry"]
