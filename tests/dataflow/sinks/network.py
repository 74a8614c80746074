"""A network that fails to order, between a client and a server."""

import contextlib
import socket
import threading
from collections.abc import Callable
from urllib.parse import urlparse


class Network:
    """Forwards connections to a server; each new one is treated as the next of `plan` says, later ones pass.

    plan: `refuse` closes at once; `lose` lets the request through and the answer not; `pass`. port: 0 for any.
    """

    def __init__(self, url: str, *plan: str, port: int = 0) -> None:
        where = urlparse(url)
        self._server = (where.hostname or "", where.port or 0)
        self._plan = list(plan)
        self.treated: list[str] = []
        self._door = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._door.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._door.accept()
                treatment = self._plan.pop(0) if self._plan else "pass"
                self.treated.append(treatment)
                if treatment == "refuse":
                    client.close()
                    continue
                server = socket.create_connection(self._server)
                self._start(lambda client=client, server=server: _copy(client, server))
                back = self._lose if treatment == "lose" else _copy
                self._start(lambda client=client, server=server, back=back: back(server, client))

    def _lose(self, server: socket.socket, client: socket.socket) -> None:
        server.recv(1)  # the answer begins: the request was served
        _shut(server, client)

    def _start(self, target: Callable[[], None]) -> None:
        threading.Thread(target=target, daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    _shut(source, target)


def _shut(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
