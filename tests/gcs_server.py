"""A stand-in for Cloud Storage: the part of its JSON API that objects need, with faults to order.

https://cloud.google.com/storage/docs/json_api/v1: multipart uploads with ifGenerationMatch, media downloads, listing in
pages, deletion.
"""

import http.server
import json
import threading
import urllib.parse
from email import message_from_bytes
from typing import Any


class GcsServer:
    """Listens on a free port of 127.0.0.1.

    objects: name -> bytes, of every bucket. page: most names of one answer to a listing.
    faults: taken from the front, one a call: a status to answer with, or `lose`: the work is done, the answer is 503.
    calls: (method, object's name) of every call that came.
    taken: what a name that is taken is refused with. Nobody may write to the bucket `closed`, and `nowhere` is none.
    """

    taken = 412

    def __init__(self, page: int = 1_000) -> None:
        self.objects: dict[str, bytes] = {}
        self.faults: list[int | str] = []
        self.calls: list[tuple[str, str]] = []
        self.page = page
        self.lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"storage": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Silent about clients that went away."""


class _Handler(http.server.BaseHTTPRequestHandler):
    storage: GcsServer
    protocol_version = "HTTP/1.1"

    def treat(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        url = urllib.parse.urlsplit(self.path)
        query = {name: values[0] for name, values in urllib.parse.parse_qs(url.query).items()}
        name = urllib.parse.unquote(url.path.rpartition("/o/")[2]) if "/o/" in url.path else ""
        fault = self.storage.faults.pop(0) if self.storage.faults else None
        if isinstance(fault, int):
            return self.answer(fault)
        if "/b/nowhere/" in url.path:
            return self.answer(404)
        if "/b/closed/" in url.path and self.command == "POST":
            error = {"error": {"message": "no storage.objects.create access"}}
            return self.answer(403, json.dumps(error).encode())
        with self.storage.lock:  # of two uploads under one precondition one is the first
            status, answer = getattr(self, self.command.lower())(name, query, body)
        return self.answer(503) if fault == "lose" else self.answer(status, answer)

    do_GET = do_POST = do_DELETE = treat

    def post(self, _: str, query: dict[str, str], body: bytes) -> tuple[int, bytes]:
        assert query["uploadType"] == "multipart"
        mime = message_from_bytes(b"Content-Type: " + self.headers["content-type"].encode() + b"\r\n\r\n" + body)
        metadata, data = (part.get_payload(decode=True) for part in mime.get_payload())
        name = json.loads(metadata)["name"]
        self.storage.calls.append(("POST", name))
        if query.get("ifGenerationMatch") == "0" and name in self.storage.objects:
            return self.storage.taken, b"{}"
        self.storage.objects[name] = data
        return 200, json.dumps({"name": name, "bucket": "b", "generation": "1"}).encode()

    def get(self, name: str, query: dict[str, str], _: bytes) -> tuple[int, bytes]:
        self.storage.calls.append(("GET", name or f"{query['prefix']}*"))
        if name:
            found = self.storage.objects.get(name)
            metadata = json.dumps({"name": name, "bucket": "b"}).encode()
            return (404, b"{}") if found is None else (200, found if query.get("alt") == "media" else metadata)
        names = sorted(name for name in self.storage.objects if name.startswith(query["prefix"]))
        names = [name for name in names if name > query.get("pageToken", "")]
        answer: dict[str, Any] = {"items": [{"name": name, "bucket": "b"} for name in names[: self.storage.page]]}
        if len(names) > self.storage.page:
            answer["nextPageToken"] = names[self.storage.page - 1]
        return 200, json.dumps(answer).encode()

    def delete(self, name: str, _query: dict[str, str], _: bytes) -> tuple[int, bytes]:
        self.storage.calls.append(("DELETE", name))
        return (404 if self.storage.objects.pop(name, None) is None else 204), b""

    def answer(self, status: int, body: bytes = b"{}") -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(0 if status == 204 else len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass
