"""IPv4 networks, as the standard library has them."""

import ipaddress

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.methods.loops.networks import networks

ADDRESS = st.ip_addresses(v=4).map(str)
ODD = st.text("0123456789.", max_size=17) | st.text(max_size=5) | ADDRESS.map(lambda one: f"{one} ")


@settings(deadline=None, max_examples=300)
@given(st.lists(st.none() | ADDRESS | ODD, max_size=20), st.integers(0, 32))
def test_networks_are_those_of_the_standard_library(texts: list[str | None], bits: int) -> None:
    made, other = networks(pl.Series(texts, dtype=pl.String), bits)
    for text, network, odd in zip(texts, made, other, strict=True):
        wanted = None
        if text is not None:
            try:
                wanted = str(ipaddress.IPv4Network((ipaddress.IPv4Address(text), bits), strict=False).network_address)
            except ValueError:
                wanted = None
        assert (network, odd) == (wanted, text is not None and wanted is None)
