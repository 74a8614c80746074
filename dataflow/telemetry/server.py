"""`/metrics`, `/healthz` and `/readyz` on loopback, in a thread of their own."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from dataflow.errors import NorenError
from dataflow.telemetry.health import Health

HOST = "127.0.0.1"

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class TelemetryServer:
    """Serves until closed.

    port: 0 takes any free one. metrics: the text of `/metrics`. Raises NorenError when the port is taken.
    """

    def __init__(self, port: int, metrics: Callable[[], bytes], health: Health) -> None:
        try:
            self._server = ThreadingHTTPServer((HOST, port), _handler(metrics, health))
        except OSError as error:
            raise NorenError(
                f"{HOST}:{port}: cannot serve metrics there ({error.strerror}); try another port."
            ) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="telemetry", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(metrics: Callable[[], bytes], health: Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "noren", ""

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(200, METRICS_TYPE, metrics())
            elif path in ("/healthz", "/readyz"):
                well, answers = health.healthz() if path == "/healthz" else health.readyz()
                body = json.dumps({"status": "ok" if well else "failing", "checks": answers})
                self._answer(200 if well else 503, "application/json", body.encode() + b"\n")
            else:
                self._answer(404, "text/plain", b"There are /metrics, /healthz and /readyz.\n")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Not one line a scrape."""

    return Handler
