"""A request that the server refuses: a status code, a sentence, and Google's error details where clients read them."""

from collections.abc import Mapping

from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode


class Refusal(Exception):  # noqa: N818 - it is an answer of the service, not a failure of it
    """Raised by every layer below the gRPC handlers, which turn it into the call's status.

    code: the code that the real service answers in this case.
    reason, metadata: `google.rpc.ErrorInfo` in the status details; the client libraries read there which
    acknowledgment ids failed under exactly-once delivery.
    """

    def __init__(
        self, code: StatusCode, message: str, reason: str = "", metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.metadata = dict(metadata or {})

    @property
    def trailers(self) -> tuple[tuple[str, bytes], ...]:
        """The call's trailing metadata: `grpc-status-details-bin` when there is a reason, else nothing."""
        if not self.reason:
            return ()
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain="pubsub.googleapis.com", metadata=self.metadata)
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        status.details.add().Pack(info)
        return (("grpc-status-details-bin", status.SerializeToString()),)


def invalid(message: str) -> Refusal:
    return Refusal(StatusCode.INVALID_ARGUMENT, message)


def missing(message: str) -> Refusal:
    return Refusal(StatusCode.NOT_FOUND, message)


def exists(message: str) -> Refusal:
    return Refusal(StatusCode.ALREADY_EXISTS, message)


def precondition(message: str) -> Refusal:
    return Refusal(StatusCode.FAILED_PRECONDITION, message)
