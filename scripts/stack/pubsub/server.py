"""The gRPC server: the three services of google.pubsub.v1 and the stack's own one, on 127.0.0.1."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2, struct_pb2

from dataflow.errors import NorenError

from . import rpc
from .broker import Broker
from .publisher import Publisher
from .schema_service import SchemaService
from .subscriber import Subscriber

HOST = "127.0.0.1"
OPTIONS = (
    (
        "grpc.max_receive_message_length",
        64 * 1024 * 1024,
    ),  # so that 10,000,000 bytes are refused by us, with a sentence
    ("grpc.max_send_message_length", -1),
    ("grpc.max_metadata_size", 4 * 1024 * 1024),  # failed acknowledgment ids travel in trailers
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
)
SERVICE = "noren.stack.PubSub"


class Server:
    """A server over one data directory. Use: `await start()`, then `await stop()`.

    Raises NorenError when the directory is in use or damaged, or the port is taken.
    """

    def __init__(self, directory: Path, port: int = 0, compact_at: int = 64 * 1024 * 1024) -> None:
        self.broker = Broker(directory, compact_at)
        self.port = port
        self._closing = asyncio.Event()
        self._server: Any = None
        self._housekeeper: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Listen. Returns the port, a free one where 0 was asked for."""
        self._server = grpc.aio.server(options=OPTIONS, maximum_concurrent_rpcs=None)
        services = {
            "google.pubsub.v1.Publisher": Publisher(self.broker).methods(),
            "google.pubsub.v1.Subscriber": Subscriber(self.broker, self._closing).methods(),
            "google.pubsub.v1.SchemaService": SchemaService(self.broker).methods(),
            "google.iam.v1.IAMPolicy": {
                method: rpc.unimplemented("IAM policies")
                for method in ("SetIamPolicy", "GetIamPolicy", "TestIamPermissions")
            },
            SERVICE: {"Statistics": rpc.unary(empty_pb2.Empty, self.statistics)},
        }
        self._server.add_generic_rpc_handlers(
            tuple(grpc.method_handlers_generic_handler(name, methods) for name, methods in services.items())
        )
        try:
            self.port = self._server.add_insecure_port(f"{HOST}:{self.port}")
        except RuntimeError as error:
            raise NorenError(
                f"{HOST}:{self.port} is taken: stop what listens there, or take another --port."
            ) from error
        await self._server.start()
        self._housekeeper = asyncio.create_task(self.broker.housekeeping())
        return self.port

    async def stop(self) -> None:
        """End the streams with UNAVAILABLE, let calls finish for a second, close the log."""
        self._closing.set()
        for subscription in self.broker.state.subscriptions.values():
            subscription.delivery.wake()
        if self._server is not None:
            await self._server.stop(grace=1.0)
        if self._housekeeper is not None:
            self._housekeeper.cancel()
        self.broker.close()

    async def statistics(self, _request: Any, _context: Any) -> Any:
        """Store id and counts as a Struct; see `scripts.stack.pubsub.statistics` for its shape."""
        response = struct_pb2.Struct()
        response.update(self.broker.statistics())
        return response
