"""The HTTP side: who calls, which method, and an answer in BigQuery's shape whatever happens."""

import json
import logging
import time
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from dataflow.errors import NorenError
from iam.engine.denials import no_project
from scripts.stack.gateway import datasets, errors, jobs, tables
from scripts.stack.gateway.core import Answer, Call, Core
from scripts.stack.gateway.uploads import Uploads
from scripts.stack.gateway.upstream import PREFIX, UPLOAD
from scripts.stack.tokens import InvalidTokenError, Tokens

log = logging.getLogger("gateway")

MAX_BODY = 256 << 20
KEPT_HEADERS = ("content-type", "etag", "range", "location")
"""Headers of the emulator's answers that are passed on."""

type Method = Callable[[Core, Call], httpx.Response | Answer]
type Endpoint = Callable[[Request], Awaitable[Response]]

PROJECT = "/projects/{project}"
DATASET = PROJECT + "/datasets/{dataset}"
TABLE = DATASET + "/tables/{table}"


def application(core: Core, tokens: Tokens) -> Starlette:
    """The API as far as it is served; every other path and method is refused."""
    uploads = Uploads()
    served: list[tuple[str, str, Method]] = [
        ("GET", "/projects", projects),
        ("GET", PROJECT + "/datasets", datasets.listing),
        ("POST", PROJECT + "/datasets", datasets.insert),
        ("GET", DATASET, datasets.get),
        ("PATCH", DATASET, datasets.patch),
        ("PUT", DATASET, datasets.update),
        ("DELETE", DATASET, datasets.delete),
        ("GET", DATASET + "/tables", tables.listing),
        ("POST", DATASET + "/tables", tables.insert),
        ("GET", TABLE, tables.get),
        ("PATCH", TABLE, tables.patch),
        ("PUT", TABLE, tables.update),
        ("DELETE", TABLE, tables.delete),
        ("GET", TABLE + "/data", tables.rows),
        ("POST", TABLE + "/insertAll", tables.insert_rows),
        ("GET", TABLE + "/rowAccessPolicies", tables.policies),
        ("POST", TABLE + "/rowAccessPolicies", tables.insert_policy),
        ("PUT", TABLE + "/rowAccessPolicies/{policy}", tables.update_policy),
        ("DELETE", TABLE + "/rowAccessPolicies/{policy}", tables.delete_policy),
        ("GET", PROJECT + "/jobs", jobs.listing),
        ("POST", PROJECT + "/jobs", jobs.insert),
        ("GET", PROJECT + "/jobs/{job}", jobs.get),
        ("POST", PROJECT + "/jobs/{job}/cancel", jobs.cancel),
        ("DELETE", PROJECT + "/jobs/{job}/delete", jobs.delete),
        ("POST", PROJECT + "/queries", jobs.query),
        ("GET", PROJECT + "/queries/{job}", jobs.results),
    ]
    routes = [Route(PREFIX + where, endpoint(core, tokens, method), methods=[verb]) for verb, where, method in served]
    for verb, chunk in (("POST", uploads.begin), ("PUT", uploads.chunk)):
        routes.append(Route(UPLOAD + PROJECT + "/jobs", endpoint(core, tokens, chunk), methods=[verb]))
    for where in ("/$discovery/rest", "/discovery/v1/apis/bigquery/v2/rest"):
        routes.append(Route(where, discovery(core), methods=["GET"]))
    routes.append(
        Route("/{rest:path}", endpoint(core, tokens, refuse), methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    )
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    return app


def projects(core: Core, _: Call) -> Answer:
    """The one project of the stack."""
    item = {
        "kind": "bigquery#project",
        "id": core.project,
        "numericId": "1",
        "friendlyName": core.project,
        "projectReference": {"projectId": core.project},
    }
    return Answer(200, {"kind": "bigquery#projectList", "projects": [item], "totalItems": 1})


def refuse(_: Core, __: Call) -> Answer:
    raise errors.not_served("This method")


def endpoint(core: Core, tokens: Tokens, method: Method) -> Endpoint:
    """One method behind authentication. Whatever goes wrong is an answer in BigQuery's shape, without details of
    data."""

    async def answer(request: Request) -> Response:
        began, caller = time.monotonic(), "-"
        try:
            caller = identify(tokens, request)
            response = await run_in_threadpool(run, core, method, await read(request, caller))
        except errors.RefusedError as refused:
            response = reply(Answer(refused.code, refused.body()))
        except httpx.TransportError:
            response = reply(unavailable("The warehouse emulator does not answer."))
        except NorenError as error:
            log.error("the files of iam/ cannot be used: %s", error)
            response = reply(unavailable("The gateway cannot use the files of iam/: its log says why."))
        except ClientDisconnect:
            response = Response(status_code=499)
        log.info(
            "%s %s by %s: %d, %.0f ms",
            request.method,
            method.__name__,
            caller,
            response.status_code,
            1000 * (time.monotonic() - began),
        )
        return response

    async def shielded(request: Request) -> Response:
        try:
            return await answer(request)
        except Exception as error:  # noqa: BLE001  fail closed, and never with a traceback that holds a row
            trace = error.__traceback__
            while trace and trace.tb_next:
                trace = trace.tb_next
            place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
            log.error("internal error %s at %s", type(error).__name__, place)
            return reply(unavailable("The gateway failed: its log says where."))

    return shielded


def run(core: Core, method: Method, call: Call) -> Response:
    if call.names.get("project", core.project) != core.project:
        raise errors.refused(no_project(call.names["project"], "bigquery.jobs.create"))
    return reply(method(core, call))


def identify(tokens: Tokens, request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise errors.unauthenticated()
    try:
        return tokens.verify(token.strip())
    except InvalidTokenError:
        raise errors.unauthenticated() from None


async def read(request: Request, caller: str) -> Call:
    """The request with its body, which may be gzipped. Raises RefusedError for a body that is too large or
    unreadable."""
    size, parts = 0, []
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            raise errors.RefusedError(413, "requestTooLarge", "INVALID_ARGUMENT", "The request is too large.")
        parts.append(part)
    content = b"".join(parts)
    encoding = request.headers.get("content-encoding", "identity")
    if encoding == "gzip":
        content = unzip(content)
    elif encoding != "identity":
        raise errors.invalid(f"The content encoding {encoding} is not served.")
    params = dict(request.query_params.items())
    root = str(request.base_url).rstrip("/")
    return Call(caller, dict(request.path_params), params, dict(request.headers), content, root)


def unzip(content: bytes) -> bytes:
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(content, MAX_BODY + 1)
    except zlib.error:
        raise errors.invalid("The gzipped body cannot be read.") from None
    if len(plain) > MAX_BODY:
        raise errors.RefusedError(413, "requestTooLarge", "INVALID_ARGUMENT", "The request is too large.")
    return plain


def reply(answer: httpx.Response | Answer) -> Response:
    if isinstance(answer, Answer):
        content = answer.content if isinstance(answer.content, bytes) else json.dumps(answer.content).encode()
        return Response(content, answer.code, {"content-type": "application/json", **answer.headers})
    headers = {key: answer.headers[key] for key in KEPT_HEADERS if key in answer.headers}
    return Response(answer.content, answer.status_code, headers)


def unavailable(message: str) -> Answer:
    error = errors.RefusedError(503, "backendError", "UNAVAILABLE", message)
    return Answer(503, error.body())


def discovery(core: Core) -> Endpoint:
    """The API's description, for clients that build themselves from it, with this gateway's address in it."""

    async def answer(request: Request) -> Response:
        try:
            found = await run_in_threadpool(core.upstream.send, "GET", "/$discovery/rest", "-", prefix="")
            document: dict[str, Any] = found.raise_for_status().json()
        except httpx.HTTPError:
            return reply(unavailable("The warehouse emulator does not answer."))
        root = str(request.base_url)
        return reply(Answer(200, {**document, "rootUrl": root, "baseUrl": f"{root}bigquery/v2/"}))

    return answer
