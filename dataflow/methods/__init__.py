"""The methods: what can be done to a field. One module a family, one registry.

A method of a third party is a class under the entry point group `noren.methods`.
"""

from functools import cache
from importlib.metadata import entry_points

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
    """Every method by name; a third party's cannot replace a built-in one."""
    found = {entry.name: entry.load() for entry in entry_points(group=GROUP)}
    return found | {method.name: method for method in BUILT_IN}


__all__ = ["GROUP", "Context", "Method", "registry"]
