"""gRPC methods from plain functions over Google's protobuf classes.

Generic handlers, not generated servicers: the response of a pull is bytes that were put together already, and goes out
as it is. A `Refusal` becomes the call's status; any other exception is a bug, is logged and becomes INTERNAL.
"""

import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NoReturn

import grpc
from grpc import StatusCode

from . import names
from .refusal import Refusal, invalid

Unary = Callable[[Any, Any], Awaitable[Any]]
"""(request, context) -> response: a protobuf, or its bytes"""

log = logging.getLogger(__name__)


def _serialize(response: Any) -> bytes:
    return response if type(response) is bytes else response.SerializeToString()


async def refuse(context: Any, refusal: Refusal) -> NoReturn:
    await context.abort(refusal.code, refusal.message, refusal.trailers)
    raise AssertionError("abort raises")


def unary(kind: Any, function: Unary, read: Callable[[bytes], Any] | None = None) -> Any:
    """A method with one request of the proto-plus type (or protobuf class) `kind`.

    read: makes something else of the request's bytes.
    """

    async def call(request: Any, context: Any) -> Any:
        try:
            return await function(request, context)
        except Refusal as refusal:
            await refuse(context, refusal)
        except Exception as error:  # noqa: BLE001  (answered below; its text may quote a message: only the type is told)
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("%s failed: %s\n%s", function.__qualname__, type(error).__name__, where)
            await refuse(context, Refusal(StatusCode.INTERNAL, "The server failed; its log on stderr says how."))

    raw = kind.pb() if hasattr(kind, "pb") else kind
    return grpc.unary_unary_rpc_method_handler(
        call, request_deserializer=read or raw.FromString, response_serializer=_serialize
    )


def unimplemented(what: str) -> Any:
    """A method that is not there, for IAM policies and push."""

    async def call(_request: bytes, context: Any) -> bytes:
        await refuse(context, Refusal(StatusCode.UNIMPLEMENTED, f"This server has no {what}."))

    return grpc.unary_unary_rpc_method_handler(call)


def page(resources: Mapping[str, Any], parent: str, size: int, token: str) -> tuple[list[str], str]:
    """The names of one page of a project's resources, in order of name, and the token of the next page or "".

    size: 0 means 1,000, the most. A token is the name that the page begins with.
    """
    names.check_project(parent)
    if size < 0:
        raise invalid("page_size cannot be negative.")
    return paged(sorted(name for name in resources if names.project(name) == parent), size, token)


def paged(ordered: Sequence[str], size: int, token: str) -> tuple[list[str], str]:
    """One page of sorted names, see `page`."""
    size = min(size or 1000, 1000)
    rest = [name for name in ordered if name >= token]
    return rest[:size], rest[size] if len(rest) > size else ""
