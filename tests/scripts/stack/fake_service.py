"""A tiny service that speaks the stack's process protocol; `--misbehave` shows what the supervisor has to bear."""

import argparse
import http.server
import json
import os
import signal
import sys
import threading
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int)
parser.add_argument("--data-dir", type=Path)
parser.add_argument("--watch-stdin", action="store_true")
parser.add_argument("--misbehave", choices=["die-at-start", "die-when-asked"])
options = parser.parse_args()
if options.misbehave == "die-at-start":
    sys.exit("no such table: secrets")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(401)
        self.end_headers()
        if self.path == "/die":
            os._exit(3)


server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())


def watch() -> None:
    sys.stdin.read()
    (options.data_dir / "stopped-by-stdin").touch()
    server.shutdown()


if options.watch_stdin:
    threading.Thread(target=watch, daemon=True).start()
sys.stdout.write(f"READY {json.dumps({'port': server.server_port, 'colour': 'indigo'})}\n")
sys.stdout.flush()
server.serve_forever()
(options.data_dir / "stopped").touch()
