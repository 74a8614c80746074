"""Load jobs that bring their data with them: one multipart request, or a resumable upload in chunks."""

import json
import secrets
import threading
from email import policy
from email.parser import BytesParser
from urllib.parse import parse_qs, urlsplit

import httpx

from scripts.stack.gateway import errors, jobs
from scripts.stack.gateway.core import Answer, Call, Core, parse_json
from scripts.stack.gateway.resources import mapping
from scripts.stack.gateway.upstream import UPLOAD, path


class Uploads:
    """The uploads that are under way, and whose they are. They end with the gateway."""

    def __init__(self) -> None:
        self._callers, self._lock = dict[str, str](), threading.Lock()

    def begin(self, core: Core, call: Call) -> httpx.Response | Answer:
        kind = call.params.get("uploadType")
        if kind == "multipart":
            return _multipart(core, call)
        if kind == "resumable":
            return self._resumable(core, call)
        raise errors.not_served(f"An upload of type {kind}")

    def chunk(self, core: Core, call: Call) -> httpx.Response:
        identifier = call.params.get("upload_id", "")
        with self._lock:
            caller = self._callers.get(identifier)
        if caller != call.caller:
            raise errors.not_found("Upload")
        headers = {key: call.headers[key] for key in ("content-range", "content-type") if key in call.headers}
        response = core.upstream.send(
            "PUT",
            _where(core),
            call.caller,
            params={"uploadType": "resumable", "upload_id": identifier},
            content=call.content,
            headers=headers,
            prefix=UPLOAD,
        )
        if response.status_code != 308:  # resume incomplete: more is to come
            with self._lock:
                self._callers.pop(identifier, None)
            jobs.submitted(core, call.caller, response)
        return response

    def _resumable(self, core: Core, call: Call) -> Answer:
        body = jobs.job(core, call, _load(call.content))
        response = core.upstream.send(
            "POST", _where(core), call.caller, params={"uploadType": "resumable"}, body=body, prefix=UPLOAD
        )
        if response.is_error:
            raise jobs.passed_on(response)
        identifier = parse_qs(urlsplit(response.headers["location"]).query)["upload_id"][0]
        with self._lock:
            self._callers[identifier] = call.caller
        location = f"{call.root}{UPLOAD}{_where(core)}?uploadType=resumable&upload_id={identifier}"
        return Answer(200, b"", {"location": location, "x-guploader-uploadid": identifier})


def _multipart(core: Core, call: Call) -> httpx.Response:
    head = f"Content-Type: {call.headers.get('content-type', '')}\r\n\r\n".encode()
    message = BytesParser(policy=policy.HTTP).parsebytes(head + call.content)
    parts = [part.get_payload(decode=True) for part in message.iter_parts()] if message.is_multipart() else []
    if len(parts) != 2 or not all(isinstance(part, bytes) for part in parts):
        raise errors.invalid("A multipart upload has two parts: the job and the data.")
    described, data = (bytes(part) for part in parts if isinstance(part, bytes))
    body = jobs.job(core, call, _load(described))
    # Rebuilt, so that the emulator reads the job that was checked and not one more part.
    boundary = secrets.token_hex(24)
    content = b"".join(
        (
            f"--{boundary}\r\nContent-Type: application/json\r\n\r\n".encode(),
            json.dumps(body).encode(),
            f"\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n\r\n".encode(),
            data,
            f"\r\n--{boundary}--\r\n".encode(),
        )
    )
    response = core.upstream.send(
        "POST",
        _where(core),
        call.caller,
        params={"uploadType": "multipart"},
        content=content,
        headers={"content-type": f'multipart/related; boundary="{boundary}"'},
        prefix=UPLOAD,
    )
    return jobs.submitted(core, call.caller, response)


def _load(content: bytes) -> object:
    body = parse_json(content)
    if "load" not in mapping(mapping(body).get("configuration")):
        raise errors.invalid("Only a load job brings its data with it.")
    return body


def _where(core: Core) -> str:
    return path("projects", core.project, "jobs")
