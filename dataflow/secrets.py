"""Passwords and webhooks: read where they are kept, never given as arguments, never printed.

A secret is named by `projects/P/secrets/S/versions/V` in Secret Manager (V may be `latest`), or by `file:PATH`.
https://cloud.google.com/secret-manager/docs/reference/rpc
"""

import logging
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from dataflow.channels import is_loopback, plain
from dataflow.errors import NorenError

if TYPE_CHECKING:
    from google.cloud import secretmanager_v1

EMULATOR = "NOREN_SECRET_MANAGER_EMULATOR"
"""Address (host:port, on this machine) of a server that stands in for Secret Manager, without TLS."""

MOST_BYTES = 65_536
"""Of a version in Secret Manager (https://cloud.google.com/secret-manager/quotas), and here of a file too."""

FILE = "file:"
TIMEOUT = 30.0
ATTEMPTS = 3
"""How often an answer with a wrong checksum is asked for again."""

_NAME = re.compile(r"projects/[^/]+(/locations/[^/]+)?/secrets/[^/]+/versions/[^/]+")
_CLIENT_LOG = "google.cloud.secretmanager_v1.services.secret_manager_service"


class Secret:
    """A value that shows itself only to `reveal()`: printing, logging, formatting or pickling it shows the name."""

    __slots__ = ("_name", "_value")

    def __init__(self, name: str, value: str) -> None:
        self._name = name
        self._value = value

    def reveal(self) -> str:
        """The value itself. Hand it on at once; keep, log and format the Secret."""
        return self._value

    @property
    def name(self) -> str:
        """Where it is kept."""
        return self._name

    def __repr__(self) -> str:
        return f"Secret({self._name})"

    __str__ = __repr__

    def __format__(self, _: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never pickled: read it in the process that needs it")


def read_secret(name: str, client: "secretmanager_v1.SecretManagerServiceClient | None" = None) -> Secret:
    """The secret of that name; one line end at the end of it is no part of it.

    client: None for one with application default credentials.
    Raises NorenError for a name that is none (without repeating it: it may be the secret itself), and with one sentence
    for every way that it cannot be read.
    """
    if name.startswith(FILE):
        return Secret(name, _text(name, _file(name, Path(name.removeprefix(FILE)).expanduser())))
    if not _NAME.fullmatch(name):
        raise NorenError(
            "a secret is named projects/P/secrets/S/versions/V or file:PATH, and what was given is neither."
        )
    return Secret(name, _text(name, _accessed(name, client)))


def _file(name: str, path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise NorenError(f"{name}: cannot be read: {error.strerror}.") from None
    try:
        # of the open file: what the path leads to may be changed in between
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NorenError(f"{name}: is no file.")
        if status.st_mode & (stat.S_IROTH | stat.S_IWOTH):
            raise NorenError(f"{name}: everybody on this machine may read or change it; run chmod 600 {path}.")
        data = os.read(descriptor, MOST_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > MOST_BYTES:
        raise NorenError(f"{name}: is larger than {MOST_BYTES} bytes, and no secret.")
    return data


def _accessed(name: str, client: "secretmanager_v1.SecretManagerServiceClient | None") -> bytes:
    """A version's payload, asked again while its checksum is wrong. The library repeats what is unavailable or late."""
    import google_crc32c
    from google.api_core import exceptions, retry
    from google.auth.exceptions import GoogleAuthError

    transient = retry.Retry(
        predicate=retry.if_exception_type(
            exceptions.ServiceUnavailable, exceptions.DeadlineExceeded, exceptions.ResourceExhausted
        ),
        initial=0.1,
        maximum=5.0,
        timeout=TIMEOUT,
    )
    failure = f"the answers of Secret Manager were damaged on the way, {ATTEMPTS} times (CRC32C); try again."
    try:
        opened = client or connect(os.environ.get(EMULATOR))
        for _ in range(ATTEMPTS):
            payload = opened.access_secret_version(request={"name": name}, retry=transient, timeout=TIMEOUT).payload
            data: bytes = payload.data
            if "data_crc32c" in payload and payload.data_crc32c == google_crc32c.value(data):
                return data
    except exceptions.PermissionDenied:
        failure = "this identity may not read the secret; grant it roles/secretmanager.secretAccessor on it."
    except exceptions.NotFound:
        failure = "there is no such secret or version; add one, or mend the name."
    except exceptions.FailedPrecondition:
        failure = "the version is disabled or destroyed; enable it in Secret Manager, or name another."
    except (exceptions.RetryError, exceptions.ServiceUnavailable, exceptions.DeadlineExceeded):
        failure = f"Secret Manager was out of reach for {TIMEOUT:.0f} s; try again."
    except GoogleAuthError:
        failure = "there are no valid credentials; run gcloud auth application-default login."
    except exceptions.GoogleAPICallError as error:
        failure = f"Secret Manager answers {error.grpc_status_code.name if error.grpc_status_code else error.code}."
    raise NorenError(f"{name}: {failure}")


def _text(name: str, data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise NorenError(f"{name}: is no text in UTF-8.") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise NorenError(f"{name}: is empty.")
    return text


def connect(emulator: str | None = None) -> "secretmanager_v1.SecretManagerServiceClient":
    """A client of google-cloud-secret-manager.

    emulator: host:port of a stand-in on this machine; None is Secret Manager, over TLS, with application default
        credentials.
    Raises NorenError for a stand-in elsewhere.
    """
    from google.cloud import secretmanager_v1

    # With its debug logging on, the library logs answers whole.
    for kind in ("grpc", "grpc_asyncio", "rest"):
        log = logging.getLogger(f"{_CLIENT_LOG}.transports.{kind}")
        if _nothing not in log.filters:
            log.addFilter(_nothing)
    if emulator is None:
        return secretmanager_v1.SecretManagerServiceClient()
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
        SecretManagerServiceGrpcTransport,
    )

    if not is_loopback(emulator.rpartition(":")[0]):
        raise NorenError(f"{EMULATOR}: {emulator} is not on this machine; use 127.0.0.1:PORT.")
    transport: Any = SecretManagerServiceGrpcTransport(channel=plain(emulator))
    return secretmanager_v1.SecretManagerServiceClient(transport=transport)


def _nothing(_: logging.LogRecord) -> bool:
    return False
