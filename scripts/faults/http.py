"""Before an HTTP server on this machine: `with HttpFaults(url, Faults(...)) as faulty: ... faulty.url`."""

import contextlib
import http.client
import http.server
import json
import socket
import sys
import threading
from typing import Any
from urllib.parse import urlparse

from scripts.faults.faults import HANG_SECONDS, Fault, Faults


class HttpFaults:
    """Listens on a free port of 127.0.0.1 until closed."""

    def __init__(self, url: str, faults: Faults) -> None:
        where = urlparse(url)
        self._faults = faults
        handler = type(
            "Handler",
            (_Handler,),
            {"server_host": where.hostname, "server_at": where.port, "faults": faults},
        )
        self._server = _Server(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> "HttpFaults":
        return self

    def __exit__(self, *_: object) -> None:
        self._faults.stop()
        self._server.shutdown()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silent about clients that went away, which is what is tested."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_host: str
    server_at: int
    faults: Faults

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _treat(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        fault = self.faults.next(f"{self.command} {self.path}")
        if fault is not None and fault.kind == "hang":
            self.faults.hang(HANG_SECONDS)
            self.close_connection = True
            return
        if fault is not None and fault.kind == "refuse":
            self._fail(fault)
            return
        status, headers, answer = self._ask(body)
        if fault is None:
            self._answer(status, headers, answer)
        elif fault.kind == "lose":
            self._fail(fault)
        else:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _treat  # noqa: N815  (the names of http.server)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.server_host, self.server_at)
        try:
            # with the client's own Host: what the server says to go on with leads through here again
            connection.request(self.command, self.path, body, dict(self.headers.items()))
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        except (OSError, http.client.HTTPException):
            return 502, [], b""  # the server itself is away
        finally:
            connection.close()

    def _fail(self, fault: Fault) -> None:
        error = {"code": fault.status, "message": "ordered", "errors": [{"reason": fault.reason, "message": "ordered"}]}
        self._answer(fault.status, [("content-type", "application/json")], json.dumps({"error": error}).encode())

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        with contextlib.suppress(OSError):  # the client gave up
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """No access log: it would hold names of jobs only, but it is nobody's."""
