"""Google's hosts on this machine: TLS, certificates of an authority of the test's own, service-account credentials.

An unmodified client with `front.environment` reaches Google's names through a proxy (CONNECT), checks certificates and
shows its credentials, as it would to Google; behind the front stand the servers of the local stack.
"""

import contextlib
import datetime
import http.client
import http.server
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from dataflow.channels import UNLIMITED, plain

PUBSUB, STORAGE_WRITE, KMS = "pubsub.googleapis.com", "bigquerystorage.googleapis.com", "cloudkms.googleapis.com"
BIGQUERY, TOKENS, STORAGE = "bigquery.googleapis.com", "oauth2.googleapis.com", "storage.googleapis.com"
GRPC_HOSTS = {"google.pubsub.v1": PUBSUB, "google.cloud.bigquery.storage.v1": STORAGE_WRITE, "google.cloud.kms.v1": KMS}
ACCOUNT = "worker@noren-test.iam.gserviceaccount.com"


class GoogleFront:
    """Listens on free ports of 127.0.0.1 until closed.

    directory: for certificates and the service account's key file.
    servers: host -> address behind it: host:port for gRPC, a URL for REST. metadata: host -> headers that are added.
    credentials: host -> the first word of what the callers showed (`Bearer`, or empty).
    """

    def __init__(self, directory: Path, servers: Mapping[str, str], metadata: Mapping[str, Mapping[str, str]]) -> None:
        self.credentials: dict[str, set[str]] = {}
        authority, certificate, key = _certificates(directory)
        self._grpc = _GrpcFront(self, servers, metadata, certificate, key)
        self._rest = _rest(self, servers, metadata, directory)
        self._ports = dict.fromkeys(GRPC_HOSTS.values(), self._grpc.port)
        self._ports |= dict.fromkeys((BIGQUERY, TOKENS, STORAGE), self._rest.server_port)
        self._proxy = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._listen, daemon=True).start()
        proxy = f"http://127.0.0.1:{self._proxy.getsockname()[1]}"
        self.environment = {
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy", "grpc_proxy"), proxy),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
            **dict.fromkeys(("REQUESTS_CA_BUNDLE", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"), str(authority)),
            "GOOGLE_APPLICATION_CREDENTIALS": str(_account(directory)),
        }

    def close(self) -> None:
        self._proxy.close()
        self._rest.shutdown()
        self._rest.server_close()
        self._grpc.close()

    def seen(self, host: str, authorization: str) -> None:
        self.credentials.setdefault(host, set()).add(authorization.partition(" ")[0])

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._proxy.accept()
                threading.Thread(target=self._tunnel, args=(client,), daemon=True).start()

    def _tunnel(self, client: socket.socket) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            if not (part := client.recv(4_096)):
                return client.close()
            asked += part
        host = asked.split()[1].decode().partition(":")[0]
        if host not in self._ports:
            client.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return client.close()
        server = socket.create_connection(("127.0.0.1", self._ports[host]))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        threading.Thread(target=_copy, args=(server, client), daemon=True).start()
        _copy(client, server)
        return None


class _GrpcFront:
    """All gRPC services over TLS; messages are passed on as bytes."""

    def __init__(
        self,
        front: GoogleFront,
        servers: Mapping[str, str],
        metadata: Mapping[str, Mapping[str, str]],
        certificate: bytes,
        key: bytes,
    ) -> None:
        self._front = front
        self._metadata = metadata
        self._channels = {host: plain(servers[host], UNLIMITED) for host in GRPC_HOSTS.values() if host in servers}
        self._server = grpc.server(ThreadPoolExecutor(32), options=[*UNLIMITED, ("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((self,))
        credentials = grpc.ssl_server_credentials([(key, certificate)])
        self.port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self._server.start()

    def close(self) -> None:
        self._server.stop(0).wait()
        for channel in self._channels.values():
            channel.close()

    def service(self, details: Any) -> Any:
        """What grpc.GenericRpcHandler has."""
        host = GRPC_HOSTS[details.method.split("/")[1].rpartition(".")[0]]
        given = {name: value for name, value in details.invocation_metadata if not name.startswith((":", "grpc-"))}
        self._front.seen(host, str(given.pop("authorization", "")))
        given.pop("user-agent", None)

        def handle(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
            added = [*given.items(), *self._metadata.get(host, {}).items()]
            answers = self._channels[host].stream_stream(details.method)(requests, metadata=added)
            context.add_callback(answers.cancel)
            try:
                yield from answers
            except grpc.RpcError as error:
                context.abort(error.code(), error.details() or "")

        return grpc.stream_stream_rpc_method_handler(handle)


def _rest(
    front: GoogleFront, servers: Mapping[str, str], metadata: Mapping[str, Mapping[str, str]], directory: Path
) -> http.server.ThreadingHTTPServer:
    """All REST services over TLS, and the endpoint that gives out tokens."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            host = self.headers["host"].partition(":")[0]
            if host == TOKENS:
                token = {"access_token": "a", "expires_in": 3600, "token_type": "Bearer"}
                return self.answer(200, [("content-type", "application/json")], json.dumps(token).encode())
            front.seen(host, self.headers.get("authorization", ""))
            where = urlparse(servers[host])
            connection = http.client.HTTPConnection(where.hostname or "", where.port)
            headers = {**dict(self.headers.items()), **metadata.get(host, {})}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            self.answer(answer.status, answer.getheaders(), answer.read())
            connection.close()
            return None

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on  # noqa: N815  (the names of http.server)

        def answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, value.replace("http://", "https://"))
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Silent about clients that went away."""

    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem", directory / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


def _certificates(directory: Path) -> tuple[Path, bytes, bytes]:
    """(file of the authority, certificate of the hosts, its key)."""
    now = datetime.datetime.now(datetime.UTC)
    hosts = [*GRPC_HOSTS.values(), BIGQUERY, TOKENS, STORAGE]
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("Test authority", hosts[0])]

    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign"), False
    )
    usage |= dict.fromkeys(("encipher_only", "decipher_only"), False)

    def made(of: int, extension: x509.ExtensionType) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(names[of]).issuer_name(names[0])
        builder = builder.public_key(keys[of].public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(days=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=1)).add_extension(extension, critical=of == 0)
        identifier = x509.SubjectKeyIdentifier.from_public_key(keys[of].public_key())
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key())
        builder = builder.add_extension(identifier, critical=False).add_extension(authority, critical=False)
        allowed = x509.KeyUsage(digital_signature=of == 1, key_cert_sign=of == 0, **usage)
        builder = builder.add_extension(allowed, critical=True)
        return builder.sign(keys[0], hashes.SHA256())

    pem = serialization.Encoding.PEM
    authority = directory / "authority.pem"
    authority.write_bytes(made(0, x509.BasicConstraints(ca=True, path_length=None)).public_bytes(pem))
    certificate = made(1, x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])).public_bytes(pem)
    key = keys[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "server.pem").write_bytes(certificate)
    (directory / "server.key").write_bytes(key)
    return authority, certificate, key


def _account(directory: Path) -> Path:
    """A service account's key file."""
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    account = {
        "type": "service_account",
        "project_id": "noren-test",
        "private_key_id": "1",
        "client_email": ACCOUNT,
        "token_uri": f"https://{TOKENS}/token",
        "private_key": rsa.generate_private_key(65_537, 2_048).private_bytes(*pem).decode(),
    }
    path = directory / "account.json"
    path.write_text(json.dumps(account))
    return path


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
