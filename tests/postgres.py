"""A real PostgreSQL server for the tests: of the apt package, on loopback, its data below a directory of its own."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

PASSWORD = "curtain-0412"


def binaries() -> Path | None:
    """Where initdb and postgres are."""
    found = shutil.which("initdb")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found).parent if found else places[-1].parent if places else None


@dataclass(frozen=True)
class Postgres:
    port: int
    password_file: Path

    def connect(self) -> "psycopg.Connection[Any]":
        return psycopg.connect(
            host="127.0.0.1", port=self.port, dbname="postgres", user="noren", password=PASSWORD, autocommit=True
        )

    def run(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)


@contextmanager
def running() -> Iterator[Postgres]:
    """Skips the test with a sentence where the package is missing."""
    place = binaries()
    if place is None:
        pytest.skip("PostgreSQL is not installed: apt-get install -y postgresql")
    directory = Path(tempfile.mkdtemp(prefix="noren-postgres-"))
    user = _user()
    as_user = [] if user is None else _command_as(user)
    password = directory / "password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    if user is not None:  # PostgreSQL refuses to run as root
        for path in (directory, password):
            os.chown(path, user.pw_uid, user.pw_gid)
    data = directory / "data"
    command = [
        *as_user,
        place / "initdb",
        "-D",
        data,
        "-U",
        "noren",
        "--auth=scram-sha-256",
        f"--pwfile={password}",
        "-N",
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=directory)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": directory,
        "wal_level": "logical",
        "fsync": "off",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [*as_user, place / "postgres", "-D", data, *options], stdout=log, stderr=log, cwd=directory
        )
    try:
        server = Postgres(port, password)
        _wait(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(directory)


def _user() -> pwd.struct_passwd | None:
    if os.geteuid():
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _command_as(user: pwd.struct_passwd) -> list[str | Path]:
    """A program changes the user: subprocess's `user` forks, and forks beside gRPC's threads crashed at times.

    https://github.com/python/cpython/blob/3.13/Modules/_posixsubprocess.c, do_fork_exec: vfork without a user only.
    """
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _wait(server: Postgres, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 30
    while True:
        try:
            server.connect().close()
        except psycopg.OperationalError:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        else:
            return
