"""What only the raw event can give, derived before its source is coarsened. Used under `derive` of a policy."""

import functools

import polars as pl

from dataflow.contract import Field, FieldType
from dataflow.methods.base import TEXT, Context, Function, Method


class Country(Method, frozen=True):
    """ISO 3166 country code of an IP address, from a MaxMind-format file. String in, string out.

    Null where no file is configured, the address is none, or the file does not know it.
    Not reversible. Leaks the country. Lane: anonymous, as a quasi-identifier.
    """

    name = "country"
    accepts = TEXT
    output = FieldType.STRING
    leaks = "the country"
    lane = "anonymous"

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        if context.country is None:
            return pl.lit(None, dtype=pl.String)
        return column.map_batches(context.country, return_dtype=pl.String)

    def function(self, field: Field, context: Context) -> Function | None:
        return context.country

    def reference(self, value: object, field: Field, context: Context) -> object:
        if context.country is None:
            return None
        return context.country(pl.Series([str(value)]))[0]


class City(Method, frozen=True):
    """Name of the city of an IP address, in English, from a MaxMind-format file. String in, string out.

    Null where no file is configured, the address is none, or the file does not know its city.
    Not reversible. Leaks the city: a village is a handful of people. Lane: pseudonymized.
    """

    name = "city"
    accepts = TEXT
    output = FieldType.STRING
    leaks = "the city: a village is a handful of people"

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        if context.city is None:
            return pl.lit(None, dtype=pl.String)
        return column.map_batches(context.city, return_dtype=pl.String)

    def function(self, field: Field, context: Context) -> Function | None:
        return context.city

    def reference(self, value: object, field: Field, context: Context) -> object:
        return None if context.city is None else context.city(pl.Series([str(value)]))[0]


class UserAgentFamily(Method, frozen=True):
    """Browser or client family of a User-Agent header, e.g. `Mobile Safari`. String in, string out.

    Not reversible. Leaks the family. Lane: anonymous, as a quasi-identifier.
    """

    name = "user_agent_family"
    accepts = TEXT
    output = FieldType.STRING
    leaks = "the family"
    lane = "anonymous"

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        return column.map_batches(_families, return_dtype=pl.String)

    def function(self, field: Field, context: Context) -> Function:
        return _families

    def reference(self, value: object, field: Field, context: Context) -> str:
        return family(str(value))


def _families(values: pl.Series) -> pl.Series:
    known = values.drop_nulls().unique()
    families = pl.Series([family(value) for value in known], dtype=pl.String)
    return values.replace_strict(known, families, default=None, return_dtype=pl.String)


@functools.lru_cache(maxsize=4096)
def family(user_agent: str) -> str:
    """The family by ua-parser's rules (https://github.com/ua-parser/uap-core), `Other` where none fits.

    The cache holds user agents, which name a kind of client, not a person.
    """
    from ua_parser import parse_user_agent

    found = parse_user_agent(user_agent)
    return found.family if found else "Other"
