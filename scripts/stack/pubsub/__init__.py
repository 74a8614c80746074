"""A small Pub/Sub server for the local stack, over Google's own proto types.

The unmodified google-cloud-pubsub client and Apache Beam's work against it with PUBSUB_EMULATOR_HOST. Start it with
`python -m scripts.stack.pubsub`; see README.md for what it has and what it has not.
"""

from typing import Any

from dataflow.channels import UNLIMITED, plain
from dataflow.errors import NorenError


def statistics(endpoint: str, timeout: float = 10.0) -> dict[str, Any]:
    """What a running server has counted.

    Args:
        endpoint: `127.0.0.1:PORT`.
        timeout: seconds.

    Returns:
        store_id: a UUID, made once in the server's data directory. Message ids are unique within a store, so it belongs
            to every position that is kept.
        log_bytes: size of the log.
        topics: full name -> {"published": messages accepted since the topic was created}.
        subscriptions: full name -> {"topic": full name, "unacknowledged": messages, "outstanding": of these, leased}.

    Raises NorenError when no server of this kind answers there.
    """
    import grpc
    from google.protobuf import empty_pb2, json_format, struct_pb2

    with plain(endpoint, UNLIMITED) as channel:
        call = channel.unary_unary(
            "/noren.stack.PubSub/Statistics",
            request_serializer=empty_pb2.Empty.SerializeToString,
            response_deserializer=struct_pb2.Struct.FromString,
        )
        try:
            struct = call(empty_pb2.Empty(), timeout=timeout)
        except grpc.RpcError as error:
            code = error.code().name
            raise NorenError(f"no Pub/Sub server of Noren answers at {endpoint} ({code}): start `noren up`.") from error
    counted: dict[str, Any] = _whole(json_format.MessageToDict(struct))
    return counted


def _whole(value: Any) -> Any:
    """A Struct has only floats; every number here is a count."""
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) else value
