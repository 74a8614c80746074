"""A stand-in for Secret Manager: a gRPC server over the official messages, with faults to order.

It does what https://cloud.google.com/secret-manager/docs/reference/rpc says of AccessSecretVersion.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import google_crc32c
import grpc
from google.cloud import secretmanager_v1 as api

SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"


class SecretServer:
    """Listens on a free port of 127.0.0.1.

    versions: name -> payload, or the status that it is answered with.
    faults: taken from the front, one a call: a status code to answer with, or a function that changes the answer.
    """

    def __init__(self) -> None:
        self.versions: dict[str, bytes | grpc.StatusCode] = {}
        self.faults: list[grpc.StatusCode | Callable[[Any], None]] = []
        self.calls = 0
        self._server = grpc.server(ThreadPoolExecutor(2))
        method = grpc.unary_unary_rpc_method_handler(
            self._access,
            request_deserializer=api.AccessSecretVersionRequest.deserialize,
            response_serializer=api.AccessSecretVersionResponse.serialize,
        )
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, {"AccessSecretVersion": method}),)
        )
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def stop(self) -> None:
        self._server.stop(None).wait()

    def _access(self, asked: Any, context: grpc.ServicerContext) -> Any:
        self.calls += 1
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, grpc.StatusCode):
            context.abort(fault, "ordered by the test")
        found = self.versions.get(asked.name, grpc.StatusCode.NOT_FOUND)
        if isinstance(found, grpc.StatusCode):
            context.abort(found, f"Secret [{asked.name}]: {found.name}")
        answer = api.AccessSecretVersionResponse(
            name=asked.name, payload={"data": found, "data_crc32c": google_crc32c.value(found)}
        )
        if fault is not None:
            fault(answer)
        return answer
