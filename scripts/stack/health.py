"""Whether a service answers: asked over its own protocol, because a stopped process still accepts connections."""

import http.client
import socket

from scripts.stack.endpoints import Endpoint

SECONDS = 2.0
HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""Client preface and an empty SETTINGS frame; a server answers with its SETTINGS (RFC 9113, 3.4)."""


def answers(endpoint: Endpoint, seconds: float = SECONDS) -> bool:
    """True for any HTTP answer (the emulator's 401 too), or for an HTTP/2 server's SETTINGS frame."""
    host = "127.0.0.1"
    try:
        if endpoint.scheme == "grpc":
            with socket.create_connection((host, endpoint.port), seconds) as connection:
                connection.sendall(HTTP2_GREETING)
                frame = connection.recv(9)
                return len(frame) == 9 and frame[3] == 4
        asked = http.client.HTTPConnection(host, endpoint.port, timeout=seconds)
        asked.request("GET", "/")
        asked.getresponse().close()
        asked.close()
    except (OSError, http.client.HTTPException):
        return False
    return True
