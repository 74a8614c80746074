"""The server's process: `python -m scripts.stack.pubsub --port P --data-dir DIR`.

When it listens it prints one line on stdout, `READY {"port": N, "pid": N, "store_id": "..."}`; everything else goes to
stderr. It stops cleanly on SIGTERM, on SIGINT, and with --watch-stdin when its standard input ends: a supervisor that
holds the pipe cannot leave it behind.
"""

import asyncio
import gc
import json
import logging
import os
import signal
import sys
from pathlib import Path

import click

from dataflow.errors import NorenError

from .server import Server


async def serve(directory: Path, port: int, compact_at: int, watch_stdin: bool) -> None:
    """Run a server until it is told to stop."""
    server = Server(directory, port, compact_at)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await server.start()
    if watch_stdin:
        await _watch_stdin(stopped)
    ready = {"port": server.port, "pid": os.getpid(), "store_id": server.broker.store_id}
    click.echo(f"READY {json.dumps(ready)}")
    sys.stdout.flush()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)  # a backlog is millions of small live objects; nothing here makes cycles
    try:
        await stopped.wait()
    finally:
        await server.stop()


async def _watch_stdin(stopped: asyncio.Event) -> None:
    """Set `stopped` when standard input ends."""

    def readable() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            stopped.set()

    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), readable)


@click.command(epilog="Example: python -m scripts.stack.pubsub --port 0 --data-dir /tmp/pubsub")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 takes a free one.")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), required=True, help="Kept between runs.")
@click.option(
    "--compact-at", type=click.IntRange(1), default=64 * 1024 * 1024, show_default=True, help="Log size, bytes."
)
@click.option("--watch-stdin", is_flag=True, help="Stop when standard input ends.")
def main(port: int, data_dir: Path, compact_at: int, watch_stdin: bool) -> None:
    """A Pub/Sub server on 127.0.0.1 that keeps its state in a directory."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s pubsub: %(message)s")
    try:
        asyncio.run(serve(data_dir, port, compact_at, watch_stdin))
    except NorenError as error:
        click.echo(f"noren: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
