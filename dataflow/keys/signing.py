"""Signing what a running pipeline must be able to trust: policy bundles.

A signing keyset is a Tink keyset (Ed25519) wrapped by the key-encryption key; beside it lies its public half, a JSON
file that says which environment it signs for. What verifies needs the public file alone: for a production pipeline it
is deployed with the pipeline, not with the bundles. A key in Cloud KMS that signs by itself (asymmetric) is one more
class with the methods of Signer.

The environment goes into what is signed: a development key's signature is none in production, whatever its public
file says.
"""

import json
from pathlib import Path
from typing import Any, NoReturn, Protocol

from tink import (
    TinkError,
    json_proto_keyset_format,
    new_keyset_handle,
    proto_keyset_format,
    signature,
)

from dataflow.errors import NorenError
from dataflow.keys.wrapping import LOCAL_FILE, Wrapping, local_key, wrapping
from dataflow.objects import create_file

signature.register()

DEVELOPMENT = "development"

STEM = "policy-signing"
"""`<STEM>.keyset` is the private half, `<STEM>.public.json` the public one."""


class Signer(Protocol):
    """Signs for one environment."""

    @property
    def environment(self) -> str: ...

    def sign(self, data: bytes) -> bytes:
        """The signature of `data` for this environment."""


class Verifier:
    """The public half of an environment's signing key."""

    def __init__(self, public: Any, environment: str) -> None:
        self._public = public
        self.environment = environment

    @classmethod
    def load(cls, path: Path) -> "Verifier":
        """From a public file. Raises NorenError when there is none or it is no public keyset."""
        try:
            document = json.loads(path.read_bytes())
            handle = json_proto_keyset_format.parse_without_secret(json.dumps(document["keyset"]))
            return cls(handle.primitive(signature.PublicKeyVerify), str(document["environment"]))
        except FileNotFoundError as error:
            raise NorenError(f"{path.name}: there is no such public key; it is made with the signing key.") from error
        except (OSError, ValueError, KeyError, TypeError, TinkError) as error:
            raise NorenError(f"{path.name}: is no public signing key.") from error

    def verify(self, data: bytes, signed: bytes) -> None:
        """Raises NorenError unless `signed` is this environment's signature of `data`."""
        try:
            self._public.verify(signed, _framed(self.environment, data))
        except TinkError as error:
            raise NorenError(f"the signature is not of the key that {self.environment} trusts.") from error


class KeysetSigner:
    """Signs with a Tink keyset."""

    __slots__ = ("__private", "_environment")

    def __init__(self, private: Any, environment: str) -> None:
        self.__private = private
        self._environment = environment

    @property
    def environment(self) -> str:
        return self._environment

    def sign(self, data: bytes) -> bytes:
        signed: bytes = self.__private.sign(_framed(self._environment, data))
        return signed

    def __repr__(self) -> str:
        return f"KeysetSigner({self._environment})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is never pickled: open it in the process that needs it")


def public_file(directory: Path) -> Path:
    """Where `create_signing_key` writes the public half."""
    return directory / f"{STEM}.public.json"


def create_signing_key(directory: Path, wrapped_by: Wrapping, environment: str) -> bool:
    """Make a signing key in `directory` for an environment, wrapped by a key-encryption key.

    False when there is one already; then nothing is changed.
    """
    private = new_keyset_handle(signature.signature_key_templates.ED25519)
    sealed = proto_keyset_format.serialize_encrypted(private, wrapped_by, _context(environment))
    # both halves in one object: two processes that make the key at once leave one pair
    document = {
        "environment": environment,
        "wrapped_by": wrapped_by.name,
        "sealed": sealed.hex(),
        "keyset": json.loads(json_proto_keyset_format.serialize_without_secret(private.public_keyset_handle())),
    }
    if not create_file(directory / f"{STEM}.keyset", json.dumps(document).encode()):
        return False
    _publish_half(directory)
    return True


def open_signer(directory: Path) -> Signer:
    """The signing key in `directory`, with the key-encryption key that it names.

    Raises NorenError when there is none or it does not open.
    """
    path = directory / f"{STEM}.keyset"
    try:
        document = json.loads(path.read_bytes())
        environment, sealed = str(document["environment"]), bytes.fromhex(document["sealed"])
        key = wrapping(str(document["wrapped_by"]), directory)
    except FileNotFoundError as error:
        raise NorenError(f"{path}: there is no signing key; make one with noren policy key.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NorenError(f"{path.name}: is no signing key.") from error
    try:
        handle = proto_keyset_format.parse_encrypted(sealed, key, _context(environment))
    except TinkError as error:
        raise NorenError(f"{path.name}: does not open with its key-encryption key.") from error
    _publish_half(directory)
    return KeysetSigner(handle.primitive(signature.PublicKeySign), environment)


def development_signer(directory: Path) -> Signer:
    """The development key of a local stack, in its key directory; made on first use and marked as such."""
    create_signing_key(directory, local_key(directory / LOCAL_FILE), DEVELOPMENT)
    return open_signer(directory)


def development_key(directory: Path) -> Path:
    """The public file of the development key, which is made on first use."""
    development_signer(directory)
    return public_file(directory)


def _publish_half(directory: Path) -> None:
    """Write the public file if a crash left it out."""
    document = json.loads((directory / f"{STEM}.keyset").read_bytes())
    public = {name: document[name] for name in ("environment", "keyset")}
    create_file(public_file(directory), json.dumps(public, indent=2).encode())


def _context(environment: str) -> bytes:
    """What the wrapped keyset is bound to: one renamed to another environment does not open."""
    return f"{STEM}.{environment}".encode()


def _framed(environment: str, data: bytes) -> bytes:
    """What is signed: data of one kind and environment is never taken for another's."""
    return b"noren policy bundle\0" + environment.encode() + b"\0" + data
