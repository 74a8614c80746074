"""Serve the patched package on 127.0.0.1 until told to stop: REST through uvicorn, the Storage API through gRPC."""

import argparse
import concurrent.futures
import contextlib
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc

MIDDLEWARE: list[Callable[[Any], Any]] = []
"""ASGI middlewares that patches add; the last is the outermost."""
INTERCEPTORS: list[grpc.ServerInterceptor] = []
AT_START: list[Callable[[], None]] = []
"""Called by turns when the database is open and before anything is served."""

HOST = "127.0.0.1"
GRPC_MESSAGE_BYTES = 20 << 20
"""Above BigQuery's own limit of 10 MB an AppendRows request, so that the limit is not gRPC's default of 4 MiB."""
STOP_SECONDS = 5

LOG = logging.getLogger("noren.warehouse")


def listen(port: int) -> socket.socket:
    taken = socket.create_server((HOST, port))
    # asyncio sets it only on sockets that were made with proto=IPPROTO_TCP, which this is not. Without it head and body
    # of every answer wait 40 ms for each other (Nagle against delayed ACK).
    taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    taken.set_inheritable(False)
    return taken


def storage(port: int) -> tuple[grpc.Server, int]:
    from local_bigquery.grpc.server import SERVICES

    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(max_workers=16),
        interceptors=INTERCEPTORS,
        options=[("grpc.max_receive_message_length", GRPC_MESSAGE_BYTES), ("grpc.so_reuseport", 0)],
    )
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(n, h) for n, h in SERVICES.items()])
    port = server.add_insecure_port(f"{HOST}:{port}")
    server.start()
    return server, port


def interrupt_jobs() -> None:
    """Cancel what is running, so that a stop does not wait for a long query; such jobs end as `stopped`."""
    from local_bigquery.jobs import runner

    for (project_id, job_id), running in list(runner._running.items()):
        running.cancelled = True
        deadline = time.monotonic() + STOP_SECONDS
        # again and again: an interrupt is lost on a job that is between two statements
        while running.future and not running.future.done() and time.monotonic() < deadline:
            with contextlib.suppress(Exception):
                if running.cursor:
                    running.cursor.interrupt()
            concurrent.futures.wait([running.future], timeout=0.1)
        LOG.info("stopped the running job %s:%s", project_id, job_id)


def main(options: argparse.Namespace) -> None:
    import uvicorn
    from local_bigquery.settings import settings

    settings.bigquery_host = HOST
    settings.default_project_id = options.project
    settings.default_dataset_id = "_default"  # the package makes it; datasets with an underscore are not listed
    settings.data_dir = options.data_dir
    from local_bigquery.app import app
    from local_bigquery.engine import database

    database.connection()
    for hook in AT_START:
        hook()
    wrapped: Any = app
    for middleware in MIDDLEWARE:
        wrapped = middleware(wrapped)
    listening = listen(options.port)
    storage_server, grpc_port = storage(options.grpc_port)

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # ours: uvicorn raises the signal again after a clean stop, and the exit code would not be 0

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready = {"port": listening.getsockname()[1], "grpc_port": grpc_port}
            sys.stdout.write(f"READY {json.dumps(ready)}\n")
            sys.stdout.flush()

    config = uvicorn.Config(
        wrapped, log_config=None, access_log=False, timeout_graceful_shutdown=STOP_SECONDS, timeout_keep_alive=75
    )
    server = Server(config)

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
    storage_server.stop(1).wait()
    interrupt_jobs()
    database.connection().close()
