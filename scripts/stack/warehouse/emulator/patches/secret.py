"""Nobody talks to the emulator without the stack's secret.

Without it every process of the machine reads raw data from the emulator's port, around the gateway and its checks.
With it REST answers 401 and gRPC UNAUTHENTICATED to every call without the header (or metadata key) `x-noren-stack`.
The secret lies in a file (mode 0600) that only the stack's services read.
"""

import argparse
import hmac
from collections.abc import Callable
from typing import Any

import grpc
from starlette.responses import JSONResponse

from scripts.stack.warehouse.emulator import serve

HEADER = "x-noren-stack"
MESSAGE = "Request is missing the stack's secret: ask the gateway instead."


class RequireSecret:
    """ASGI middleware, the outermost: nothing of a request is read before its secret."""

    def __init__(self, app: Any, secret: bytes) -> None:
        self.app, self.secret = app, secret

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        given = dict(scope.get("headers", [])).get(HEADER.encode(), b"")
        if scope["type"] == "http" and not hmac.compare_digest(given, self.secret):
            reason = {"message": MESSAGE, "domain": "global", "reason": "required", "location": HEADER}
            error = {"code": 401, "message": MESSAGE, "errors": [reason], "status": "UNAUTHENTICATED"}
            await JSONResponse({"error": error}, 401)(scope, receive, send)
            return
        await self.app(scope, receive, send)


class RequireMetadata(grpc.ServerInterceptor):  # type: ignore[misc]
    """The same for the Storage API."""

    def __init__(self, secret: bytes) -> None:
        self.secret = secret

        def refuse(_: Any, context: grpc.ServicerContext) -> None:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, MESSAGE)

        # A stream handler answers calls of every kind: the client sees the status before any message.
        self.refused = grpc.stream_stream_rpc_method_handler(refuse)

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        given = dict(details.invocation_metadata).get(HEADER, "")
        known = isinstance(given, str) and hmac.compare_digest(given.encode(), self.secret)
        return continuation(details) if known else self.refused


def apply(options: argparse.Namespace) -> None:
    secret = options.secret_file.read_bytes().strip()
    if len(secret) < 16:
        raise SystemExit(f"{options.secret_file}: the secret needs at least 16 characters.")
    serve.MIDDLEWARE.append(lambda app: RequireSecret(app, secret))
    serve.INTERCEPTORS.append(RequireMetadata(secret))
