"""The Storage Write API by raw calls: streams are made, appended to and finalized.

Raw, because the library's own append_rows() hangs when its queue of requests is empty for a while, and a new call for
each write costs little beside the write.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pyarrow as pa
from google.cloud.bigquery_storage_v1 import types
from google.rpc import status_pb2

from dataflow.channels import UNLIMITED, plain
from dataflow.clients import STACK_HEADER

MOST_REQUEST_BYTES = 4 << 20
"""Of one request, so that no server on the way refuses it; BigQuery takes 10 MB, gRPC by default 4 MiB."""

CALL_SECONDS = 60.0
APPEND_SECONDS = 300.0
"""For all the requests of one call."""

_SERVICE = "/google.cloud.bigquery.storage.v1.BigQueryWrite"

_GONE = re.compile(r"stream name|finali[sz]ed|stream .*not found", re.IGNORECASE)
"""How a stream's end is told where the answer has no code of its own for it. Only compared, never shown."""


class StreamGoneError(Exception):
    """The stream is unknown, finalized, or ends elsewhere than was thought."""


class RefusedError(Exception):
    """The rows are refused; its text is the kind of refusal, without a value."""


@dataclass(frozen=True)
class Piece:
    """Rows `start` to `end` of a group, as one serialized RecordBatch."""

    start: int
    end: int
    data: bytes


class WriteService:
    """BigQueryWrite.

    endpoint: host:port of the local emulator; None is BigQuery itself, over TLS, with application default credentials.
    secret: of the local stack.
    """

    def __init__(self, endpoint: str | None = None, secret: str | None = None) -> None:
        self._metadata = [(STACK_HEADER, secret)] if endpoint and secret else []
        self._channel = plain(endpoint, UNLIMITED) if endpoint else _cloud_channel()
        self._create = self._unary("CreateWriteStream", types.CreateWriteStreamRequest, types.WriteStream)
        self._finalize = self._unary(
            "FinalizeWriteStream", types.FinalizeWriteStreamRequest, types.FinalizeWriteStreamResponse
        )
        self._append = self._channel.stream_stream(
            f"{_SERVICE}/AppendRows",
            types.AppendRowsRequest.pb().SerializeToString,
            types.AppendRowsResponse.pb().FromString,
        )

    def create(self, table: str) -> tuple[str, set[str]]:
        """A new committed stream of `projects/P/datasets/D/tables/T`: its name, and the columns that it knows.

        Raises grpc.RpcError.
        """
        stream = types.WriteStream.pb()(type_=int(types.WriteStream.Type.COMMITTED))
        request = types.CreateWriteStreamRequest.pb()(parent=table, write_stream=stream)
        made = self._create(request, f"write_stream.table={table}")
        return made.name, {field.name for field in made.table_schema.fields}

    def finalize(self, stream: str) -> None:
        """After this nothing can be appended to the stream, whoever tries. Raises grpc.RpcError."""
        request = types.FinalizeWriteStreamRequest.pb()(name=stream)
        try:
            self._finalize(request, f"name={stream}")
        except grpc.RpcError as error:
            if not _is_gone(error.code(), error.details() or ""):
                raise

    def append(self, stream: str, schema: pa.Schema, pieces: list[Piece], base: int) -> Iterator[Piece]:
        """Append pieces; gives each that is in the table, whether now or by an earlier try of the same.

        base: the stream's offset of the group's first row.
        Raises StreamGoneError, RefusedError, or grpc.RpcError.
        """
        call = self._append(
            iter([_request(stream, schema, piece, base, first=piece is pieces[0]) for piece in pieces]),
            timeout=APPEND_SECONDS,
            metadata=[*self._metadata, ("x-goog-request-params", f"write_stream={stream}")],
        )
        try:
            for piece, answer in zip(pieces, call, strict=False):
                if answer.HasField("error"):
                    _raise_unless_there(answer.error, len(answer.row_errors))
                yield piece
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.ALREADY_EXISTS:
                raise StreamGoneError from None  # which piece it means is not told
            if _is_gone(error.code(), error.details() or ""):
                raise StreamGoneError from None
            raise
        finally:
            call.cancel()

    def close(self) -> None:
        self._channel.close()

    def _unary(self, name: str, request: Any, response: Any) -> Callable[[Any, str], Any]:
        call = self._channel.unary_unary(f"{_SERVICE}/{name}", request.pb().SerializeToString, response.pb().FromString)

        def ask(asked: Any, routing: str) -> Any:
            return call(asked, timeout=CALL_SECONDS, metadata=[*self._metadata, ("x-goog-request-params", routing)])

        return ask


def _request(stream: str, schema: pa.Schema, piece: Piece, base: int, *, first: bool) -> Any:
    request = types.AppendRowsRequest.pb()(write_stream=stream)
    request.offset.value = base + piece.start
    if first:
        request.arrow_rows.writer_schema.serialized_schema = schema.serialize().to_pybytes()
    request.arrow_rows.rows.serialized_record_batch = piece.data
    return request


def _raise_unless_there(error: status_pb2.Status, row_errors: int) -> None:
    """Raises for an answer that is an error, unless it says that the rows are there already."""
    code = _CODES.get(error.code, grpc.StatusCode.UNKNOWN)
    if code is grpc.StatusCode.ALREADY_EXISTS:
        return
    if row_errors:
        raise RefusedError(f"{row_errors} rows have errors")
    if _is_gone(code, error.message, _storage_error(error)):
        raise StreamGoneError
    raise AnswerError(code)


class AnswerError(grpc.RpcError):  # type: ignore[misc]  # grpc has no types
    """An error inside of an answer, like one of the call. Without BigQuery's text: it may quote a row."""

    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__(code.name)
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return ""


_CODES = {code.value[0]: code for code in grpc.StatusCode}


def _storage_error(status: status_pb2.Status) -> int:
    """The StorageError.StorageErrorCode that the answer carries, 0 when there is none."""
    found = types.StorageError.pb()()
    for detail in status.details:
        if detail.Unpack(found):
            return int(found.code)
    return 0


_GONE_ERRORS = {
    int(code)
    for code in (
        types.StorageError.StorageErrorCode.STREAM_NOT_FOUND,
        types.StorageError.StorageErrorCode.STREAM_FINALIZED,
        types.StorageError.StorageErrorCode.INVALID_STREAM_STATE,
        types.StorageError.StorageErrorCode.OFFSET_OUT_OF_RANGE,
        types.StorageError.StorageErrorCode.SCHEMA_MISMATCH_EXTRA_FIELDS,  # a newer stream knows newer columns
    )
}


def _is_gone(code: grpc.StatusCode, message: str, storage_error: int = 0) -> bool:
    if storage_error in _GONE_ERRORS or code in (grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.NOT_FOUND):
        return True
    told = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION)
    return code in told and _GONE.search(message) is not None


def _cloud_channel() -> Any:
    from google.cloud.bigquery_storage_v1.services.big_query_write.transports import BigQueryWriteGrpcTransport

    return BigQueryWriteGrpcTransport().grpc_channel
