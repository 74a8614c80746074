"""Which table, of which server, and how its changes are found."""

import json
import zoneinfo
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from dataflow.contract import Contract, Format
from dataflow.errors import NorenError
from dataflow.secrets import Secret, read_secret
from dataflow.yaml_file import read_yaml

SCHEMA = Path(__file__).with_name("config.schema.json")

LOOPBACK = ("localhost", "127.0.0.1", "::1")

OVERLAP_SECONDS = 300.0


@dataclass(frozen=True)
class Config:
    """See config.schema.json. password: None where the server asks for none."""

    stream: str
    schema: str
    table: str
    host: str
    port: int
    database: str
    user: str
    tls: str
    password: Secret | None
    cursor: str | None = None
    overlap: float = OVERLAP_SECONDS
    zone: str | None = None
    slot: str | None = None
    publication: str | None = None

    @property
    def place(self) -> str:
        """Names the table for ever."""
        return f"{self.host}:{self.port}/{self.database}/{self.schema}.{self.table}"

    def connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """A connection in autocommit, with times in UTC and ISO. Raises NorenError, which quotes no parameter."""
        try:
            return psycopg.connect(
                host=self.host,
                port=self.port,
                dbname=self.database,
                user=self.user,
                password=self.password.reveal() if self.password else None,
                sslmode=self.tls,
                sslrootcert="system" if self.tls == "verify-full" else None,
                connect_timeout=20,
                options="-c datestyle=ISO -c timezone=UTC -c extra_float_digits=1 -c application_name=noren",
                autocommit=True,
            )
        except psycopg.OperationalError as error:
            why = str(error).strip().splitlines()[-1].rpartition("FATAL:")[2].strip()
            raise NorenError(f"{self.host}:{self.port}: PostgreSQL cannot be reached: {why}.") from error


def load_config(path: Path, contracts: dict[str, Contract]) -> Config:
    """The configuration in `path`.

    Raises NorenError naming the file and the place when it is wrong, its stream has no contract or one of another
    format, or its secret cannot be read.
    """
    document = read_yaml(path, path.name)
    _validate(path.name, document)
    contract = contracts.get(document["stream"])
    if contract is None:
        raise NorenError(f"{path.name}: stream: there is no contract {document['stream']}.")
    if contract.format is not Format.DEBEZIUM:
        raise NorenError(
            f"{path.name}: stream: the contract of {contract.stream} has format {contract.format}; "
            "a table's changes need format debezium, and an object `change`."
        )
    return _config(path.name, document)


def _config(file: str, document: dict[str, Any]) -> Config:
    database, changes = document["database"], document.get("changes", {})
    host = database.get("host", "localhost")
    near = host in LOOPBACK or host.startswith("/")
    zone = document.get("zone")
    if zone is not None and zone not in zoneinfo.available_timezones():
        raise NorenError(f"{file}: zone: {zone} is no time zone.")
    schema, _, table = document["table"].partition(".")
    return Config(
        stream=document["stream"],
        schema=schema,
        table=table,
        host=host,
        port=database.get("port", 5432),
        database=database["name"],
        user=database["user"],
        tls=database.get("tls", "prefer" if near else "verify-full"),
        password=_password(file, database["password"]) if "password" in database else None,
        cursor=document.get("cursor"),
        overlap=document.get("overlap", OVERLAP_SECONDS),
        zone=zone,
        slot=changes.get("slot"),
        publication=changes.get("publication"),
    )


def _validate(file: str, document: Any) -> None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    errors = Draft202012Validator(json.loads(SCHEMA.read_text())).iter_errors(document)
    error = best_match(errors)
    if error is None:
        return
    if error.json_path == "$" and error.validator == "oneOf":
        raise NorenError(f"{file}: needs either cursor or changes: a table is polled or followed.")
    # a password in the wrong place would be quoted
    secret = "password" in error.json_path
    said = "must be a secret reference" if secret else error.message.splitlines()[0][:300]
    raise NorenError(f"{file}: {error.json_path}: {said}.")


def _password(file: str, reference: str) -> Secret:
    try:
        return read_secret(reference)
    except NorenError as error:
        raise NorenError(f"{file}: database.password: {error}") from None
