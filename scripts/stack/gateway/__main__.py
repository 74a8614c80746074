"""Start the gateway: `python -m scripts.stack.gateway --warehouse URL --secret-file FILE --project ID --data-dir DIR`.

Prints one line on stdout, `READY {"port": N}`, when it serves; logs on stderr, without SQL text and rows. Stops on
SIGTERM, SIGINT and, with --watch-stdin, when its stdin ends. Reads groups.json of the project of the current directory.
"""

import argparse
import contextlib
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import uvicorn

from dataflow.errors import NorenError
from dataflow.project import Project
from scripts.stack.gateway.app import application
from scripts.stack.gateway.catalogue import LiveCatalogue
from scripts.stack.gateway.core import Core
from scripts.stack.gateway.guard import Guard
from scripts.stack.gateway.owners import Owners
from scripts.stack.gateway.upstream import Upstream
from scripts.stack.tokens import Tokens

HOST = "127.0.0.1"
STOP_SECONDS = 5


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("gateway", description="BigQuery's API with access control.", allow_abbrev=False)
    parser.add_argument("--port", type=int, default=0, help="port of the API; 0: a free one")
    parser.add_argument("--data-dir", type=Path, required=True, help="directory of the gateway's own state")
    parser.add_argument("--warehouse", required=True, help="base URL of the emulator")
    parser.add_argument("--secret-file", type=Path, required=True, help="file with the secret that the emulator wants")
    parser.add_argument("--project", required=True, help="id of the one project that is served")
    parser.add_argument("--home", type=Path, help="home of the stack, with the key of tokens [parent of --data-dir]")
    parser.add_argument("--watch-stdin", action="store_true", help="stop when stdin ends")
    return parser.parse_args()


class Server(uvicorn.Server):
    """Says READY when it serves, and leaves signals to `main`."""

    port = 0

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # uvicorn raises the signal again after a clean stop, and the exit code would not be 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print("READY", json.dumps({"port": self.port}), flush=True)  # noqa: T201  the protocol with the supervisor


def main() -> None:
    options = arguments()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    options.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        checkout = replace(Project.find(), id=options.project)
    except NorenError as error:
        sys.exit(f"gateway: {error}")
    upstream = Upstream(options.warehouse, options.secret_file)
    guard = Guard(LiveCatalogue(upstream, options.project), checkout)
    upstream.groups = guard.groups
    core = Core(options.project, upstream, guard, Owners(options.data_dir / "jobs.sqlite"))
    listening = socket.create_server((HOST, options.port))
    # asyncio leaves it off on a socket made here: head and body of every answer would wait 40 ms for each other.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        application(core, Tokens(options.home or options.data_dir.parent)),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_keep_alive=75,
    )
    server = Server(config)
    server.port = listening.getsockname()[1]

    def stop(*_: object) -> None:
        server.should_exit = True

    def watch() -> None:
        while os.read(0, 4096):
            pass
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if options.watch_stdin:
        threading.Thread(target=watch, daemon=True).start()
    server.run(sockets=[listening])
    upstream.close()
    core.owners.close()


if __name__ == "__main__":
    main()
