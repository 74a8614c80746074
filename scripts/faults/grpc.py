"""Before a gRPC server on this machine: `with GrpcFaults(address, Faults(...)) as faulty: ... faulty.address`.

Messages are passed on as bytes, so it knows no service. A call is one call of a method; of a stream each request is a
call of its own, for that is what has an answer.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from dataflow.channels import UNLIMITED, plain
from scripts.faults.faults import HANG_SECONDS, Fault, Faults

_CODES = {
    403: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}


class GrpcFaults:
    """Listens on a free port of 127.0.0.1 until closed."""

    def __init__(self, address: str, faults: Faults) -> None:
        self._channel = plain(address, UNLIMITED)
        self._faults = faults
        self._server = grpc.server(ThreadPoolExecutor(16), options=[*UNLIMITED, ("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((self,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def __enter__(self) -> "GrpcFaults":
        return self

    def __exit__(self, *_: object) -> None:
        self._faults.stop()
        self._server.stop(0).wait()
        self._channel.close()

    def service(self, details: Any) -> Any:
        """What grpc.GenericRpcHandler has."""

        def handle(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
            return self._pass(details.method, details.invocation_metadata, requests, context)

        return grpc.stream_stream_rpc_method_handler(handle)

    def _pass(self, method: str, metadata: Any, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        name = method.rpartition("/")[2]
        held: list[Fault | None] = []

        def passed() -> Iterator[bytes]:
            for request in requests:
                fault = self._faults.next(name)
                if fault is not None and fault.kind in ("refuse", "hang"):
                    held.append(fault)
                    return
                held.append(fault)
                yield request

        sent = [(key, value) for key, value in metadata if not key.startswith((":", "grpc-")) and key != "user-agent"]
        answers = self._channel.stream_stream(method)(passed(), metadata=sent)
        context.add_callback(answers.cancel)
        number = 0
        try:
            for answer in answers:
                fault = held[number] if number < len(held) else None
                if fault is not None:
                    self._fail(fault, context)
                number += 1
                yield answer
        except grpc.RpcError as error:
            if number < len(held) and held[number] is not None:
                self._fail(held[number], context)
            context.abort(error.code(), error.details() or "")
        if number < len(held) and held[number] is not None:
            self._fail(held[number], context)

    def _fail(self, fault: Fault | None, context: Any) -> None:
        assert fault is not None
        if fault.kind == "hang":
            self._faults.hang(HANG_SECONDS)
        if fault.kind == "cut":
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        context.abort(_CODES.get(fault.status, grpc.StatusCode.UNAVAILABLE), "ordered")
