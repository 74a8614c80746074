"""A stand-in for Cloud KMS: a gRPC server over the official messages, with faults to order.

It does what https://cloud.google.com/kms/docs/reference/rpc/google.cloud.kms.v1 says of Encrypt, Decrypt and
GetCryptoKey: AES-256-GCM under the primary version, checksums verified and given, the service's own status codes.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import google_crc32c
import grpc
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.cloud import kms_v1

SERVICE = "google.cloud.kms.v1.KeyManagementService"
PARENT = "projects/noren-test/locations/asia-northeast1/keyRings/noren/cryptoKeys"
Version = kms_v1.CryptoKeyVersion.CryptoKeyVersionState


@dataclass
class CryptoKey:
    """A key's versions, first to last; the last is the primary."""

    name: str
    versions: list[bytes] = field(default_factory=lambda: [os.urandom(32)])
    state: Version = Version.ENABLED
    purpose: kms_v1.CryptoKey.CryptoKeyPurpose = kms_v1.CryptoKey.CryptoKeyPurpose.ENCRYPT_DECRYPT

    def version(self, number: int) -> str:
        return f"{self.name}/cryptoKeyVersions/{number}"


class KmsServer:
    """Listens on a free port of 127.0.0.1.

    faults: taken from the front, one a call: a status code to answer with, or a function that changes the answer.
    calls: (method, request) of every call that came.
    """

    def __init__(self) -> None:
        self.keys: dict[str, CryptoKey] = {}
        self.faults: list[grpc.StatusCode | Callable[[Any], None] | None] = []
        self.calls: list[tuple[str, Any]] = []
        self.denied: set[str] = set()
        """Methods that the caller may not use, e.g. `Decrypt`."""
        self._server = grpc.server(ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    SERVICE,
                    {
                        "Encrypt": self._method(
                            "Encrypt", kms_v1.EncryptRequest, kms_v1.EncryptResponse, self._encrypt
                        ),
                        "Decrypt": self._method(
                            "Decrypt", kms_v1.DecryptRequest, kms_v1.DecryptResponse, self._decrypt
                        ),
                        "GetCryptoKey": self._method(
                            "GetCryptoKey", kms_v1.GetCryptoKeyRequest, kms_v1.CryptoKey, self._get
                        ),
                    },
                ),
            )
        )
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def create(self, name: str) -> str:
        """Make a key; gives its `gcp-kms://` name."""
        key = CryptoKey(f"{PARENT}/{name}")
        self.keys[key.name] = key
        return f"gcp-kms://{key.name}"

    def key(self, uri: str) -> CryptoKey:
        return self.keys[uri.removeprefix("gcp-kms://")]

    def add_version(self, uri: str) -> None:
        """Rotate a key: the new version is its primary."""
        self.key(uri).versions.append(os.urandom(32))

    def stop(self) -> None:
        self._server.stop(None).wait()

    def _method(self, name: str, request: Any, response: Any, answer: Callable[[Any, Any], Any]) -> Any:
        def handle(asked: Any, context: grpc.ServicerContext) -> Any:
            self.calls.append((name, asked))
            fault = self.faults.pop(0) if self.faults else None
            if isinstance(fault, grpc.StatusCode):
                context.abort(fault, "ordered by the test")
            if name in self.denied:
                context.abort(grpc.StatusCode.PERMISSION_DENIED, f"Permission denied on resource '{asked.name}'.")
            if asked.name not in self.keys:
                context.abort(grpc.StatusCode.NOT_FOUND, f"CryptoKey {asked.name} not found.")
            given = answer(asked, context)
            if callable(fault):
                fault(given)
            return given

        return grpc.unary_unary_rpc_method_handler(
            handle, request_deserializer=request.deserialize, response_serializer=response.serialize
        )

    def _encrypt(self, asked: Any, context: grpc.ServicerContext) -> Any:
        key = self._usable(asked.name, context)
        plain = _verified(asked, "plaintext", context)
        extra = _verified(asked, "additional_authenticated_data", context)
        number = len(key.versions)
        nonce = os.urandom(12)
        sealed = bytes([number]) + nonce + AESGCM(key.versions[-1]).encrypt(nonce, asked.plaintext, _data(asked))
        return kms_v1.EncryptResponse(
            name=key.version(number),
            ciphertext=sealed,
            ciphertext_crc32c=google_crc32c.value(sealed),
            verified_plaintext_crc32c=plain,
            verified_additional_authenticated_data_crc32c=extra,
            protection_level=kms_v1.ProtectionLevel.SOFTWARE,
        )

    def _decrypt(self, asked: Any, context: grpc.ServicerContext) -> Any:
        key = self._usable(asked.name, context)
        _verified(asked, "ciphertext", context)
        _verified(asked, "additional_authenticated_data", context)
        number, nonce, rest = asked.ciphertext[0], asked.ciphertext[1:13], asked.ciphertext[13:]
        try:
            plain = AESGCM(key.versions[number - 1]).decrypt(nonce, rest, _data(asked))
        except (InvalidTag, IndexError):
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                "Decryption failed: verify that 'name' refers to the correct CryptoKey.",
            )
        return kms_v1.DecryptResponse(
            plaintext=plain,
            plaintext_crc32c=google_crc32c.value(plain),
            used_primary=number == len(key.versions),
            protection_level=kms_v1.ProtectionLevel.SOFTWARE,
        )

    def _get(self, asked: Any, _: grpc.ServicerContext) -> Any:
        key = self.keys[asked.name]
        primary = kms_v1.CryptoKeyVersion(name=key.version(len(key.versions)), state=key.state)
        return kms_v1.CryptoKey(name=key.name, purpose=key.purpose, primary=primary)

    def _usable(self, name: str, context: grpc.ServicerContext) -> CryptoKey:
        key = self.keys[name]
        if key.state is not Version.ENABLED:
            context.abort(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"{key.version(len(key.versions))} is not enabled, current state is: {key.state.name}.",
            )
        return key


def _data(asked: Any) -> bytes:
    extra: bytes = asked.additional_authenticated_data
    return extra


def _verified(asked: Any, name: str, context: grpc.ServicerContext) -> bool:
    """Whether the request had a checksum of its field `name`; aborts when it is wrong."""
    if f"{name}_crc32c" not in asked:
        return False
    if getattr(asked, f"{name}_crc32c") != google_crc32c.value(getattr(asked, name)):
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"The checksum of {name} did not match the data.")
    return True
