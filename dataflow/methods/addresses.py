"""Coarser addresses on the network: IP addresses and e-mail addresses."""

import ipaddress
from typing import Annotated, ClassVar

import msgspec
import polars as pl

from dataflow.contract import Classification, Field
from dataflow.methods.base import PERSONAL, TEXT, Context, Function, Method


class TruncateIp(Method, frozen=True):
    """The network an IP address lies in, as its first address. String in, string out; what is no address becomes null.

    v4, v6: bits that stay of an IPv4 (0 to 24) or IPv6 (0 to 64) address. An IPv6 address that is made of an IPv4 one
    (mapped, or 6to4, RFC 3056) counts as IPv4: its leading 48 bits are all zero or hold the whole address.
    Not reversible. Leaks the network: a small company's /24 is the company. Lane: pseudonymized.
    """

    name = "truncate_ip"
    own_bytes = True
    accepts = TEXT
    leaks = "the network: a small company's /24 is the company"
    scales: ClassVar = {"v4": "more", "v6": "more"}
    v4: Annotated[int, msgspec.Meta(ge=0, le=24)] = 24
    v6: Annotated[int, msgspec.Meta(ge=0, le=64)] = 48

    def effect(self) -> str:
        return f"networks of {2 ** (32 - self.v4):,} IPv4 addresses"

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        return column.map_batches(self._truncate, return_dtype=pl.String)

    def function(self, field: Field, context: Context) -> Function:
        return self._truncate

    def _truncate(self, values: pl.Series) -> pl.Series:
        """IPv4 addresses in a compiled loop; every other one by one, each once."""
        from dataflow.methods.loops.networks import networks

        truncated, other = networks(values, self.v4)
        if not other.any():
            return truncated
        known = values.filter(other).unique()
        made = pl.Series([self._one(value) for value in known], dtype=pl.String)
        rest = values.replace_strict(known, made, default=None, return_dtype=pl.String)
        return rest.zip_with(other, truncated)

    def _one(self, value: str) -> str | None:
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return None
        if isinstance(address, ipaddress.IPv6Address):
            address = address.ipv4_mapped or address.sixtofour or address
        bits = self.v4 if address.version == 4 else self.v6
        number = int(address) >> (address.max_prefixlen - bits) << (address.max_prefixlen - bits)
        return str(type(address)(number))

    def reference(self, value: object, field: Field, context: Context) -> str | None:
        return self._one(str(value))


class EmailDomain(Method, frozen=True):
    """The domain of an e-mail address, in lower case. String in, string out; what is no address becomes null.

    known: domains that stay, such as the large providers; every other becomes `other`. Empty: all stay.
    Not reversible. Leaks the provider, and of a domain of one's own the person: name the known ones.
    Lane: pseudonymized.
    """

    name = "email_domain"
    accepts = TEXT
    leaks = "the domain: a domain of one's own names its owner"
    unfit_for = PERSONAL - {Classification.IDENTIFIER}
    known: tuple[str, ...] = ()

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        domain = column.str.extract(_EMAIL, 1).str.to_lowercase()
        if not self.known:
            return domain
        return pl.when(domain.is_null() | domain.is_in(self._known)).then(domain).otherwise(pl.lit("other"))

    @property
    def _known(self) -> list[str]:
        return [domain.lower() for domain in self.known]

    def reference(self, value: object, field: Field, context: Context) -> str | None:
        local, at, domain = str(value).rpartition("@")
        labels = domain.split(".")
        if not (local and at and len(labels) > 1 and all(map(_label, labels))):
            return None
        return domain.lower() if not self.known or domain.lower() in self._known else "other"


_EMAIL = r"(?s)^.+@((?:[A-Za-z0-9-]+\.)+[A-Za-z0-9-]+)$"


def _label(text: str) -> bool:
    return bool(text) and text.isascii() and text.replace("-", "a").isalnum()
