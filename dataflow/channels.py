"""gRPC channels: TLS and application default credentials to Google, plain text to a server on this machine only."""

import ipaddress
from collections.abc import Sequence
from typing import Any

from dataflow.errors import NorenError

UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))


RECONNECT_MILLISECONDS = 1_000
"""Longest pause between two tries to reach a server on this machine that is away; gRPC's own is two minutes."""


def plain(address: str, options: Sequence[tuple[str, Any]] = ()) -> Any:
    """A grpc.Channel without TLS, to a server of the local stack. It goes through no proxy of the machine.

    address: host:port.
    Raises NorenError for a server elsewhere: personal data, or keys, would go there in clear.
    """
    import grpc

    require_loopback(address)
    ours = [("grpc.enable_http_proxy", 0), ("grpc.max_reconnect_backoff_ms", RECONNECT_MILLISECONDS)]
    return grpc.insecure_channel(address, options=[*ours, *options])  # noqa: TID251  (here)


def require_loopback(address: str) -> None:
    """Raises NorenError unless host:port is on this machine."""
    host = address.rpartition(":")[0]
    if not is_loopback(host):
        raise NorenError(f"{address}: is not on this machine, and only there it works without TLS; use 127.0.0.1:PORT.")


def is_loopback(host: str) -> bool:
    """Whether a literal address is of this machine; a name never is: what it resolves to may change."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
