"""Cloud KMS as a key-encryption key (https://cloud.google.com/kms/docs/encrypt-decrypt).

Requests and responses carry CRC32C checksums, as https://cloud.google.com/kms/docs/data-integrity-guidelines asks for:
one bit flipped between here and the service would make a keyset that never opens again.
"""

import logging
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from tink import aead

from dataflow.channels import is_loopback, plain
from dataflow.errors import NorenError

if TYPE_CHECKING:
    from google.cloud import kms_v1

SCHEME = "gcp-kms://"
EMULATOR = "NOREN_KMS_EMULATOR"
"""Address (host:port, on this machine) of a server that stands in for Cloud KMS, without TLS."""

_NAME = re.compile(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+")
ATTEMPTS = 3
"""How often an answer with a wrong checksum is asked for again."""
TIMEOUT = 30.0
"""Seconds after which Cloud KMS counts as out of reach."""

_CLIENT_LOG = "google.cloud.kms_v1.services.key_management_service"


class KmsKey(aead.Aead):  # type: ignore[misc]
    """A symmetric Cloud KMS key, as a Tink AEAD.

    name: `gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K`.
    client: None for one with application default credentials, made on first use.
    Raises NorenError for a name that is none.
    """

    def __init__(self, name: str, client: "kms_v1.KeyManagementServiceClient | None" = None) -> None:
        self._resource = name.removeprefix(SCHEME)
        if not name.startswith(SCHEME) or not _NAME.fullmatch(self._resource):
            raise NorenError(
                f"{name}: is no Cloud KMS key; write {SCHEME}projects/P/locations/L/keyRings/R/cryptoKeys/K."
            )
        self._name = name
        self._client = client

    @property
    def name(self) -> str:
        return self._name

    @property
    def location(self) -> str:
        """The key's location, e.g. `asia-northeast1`: BigQuery uses a key in queries of the same location only."""
        return self._resource.split("/")[3]

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """Raises NorenError with one sentence for every way that Cloud KMS can refuse or fail."""
        from google.cloud import kms_v1

        request = kms_v1.EncryptRequest(
            name=self._resource,
            plaintext=plaintext,
            plaintext_crc32c=_crc(plaintext),
            additional_authenticated_data=associated_data,
            additional_authenticated_data_crc32c=_crc(associated_data),
        )

        def sound(answer: Any) -> bool:
            return bool(
                answer.verified_plaintext_crc32c
                and answer.verified_additional_authenticated_data_crc32c
                and answer.ciphertext_crc32c == _crc(answer.ciphertext)
                and answer.name.startswith(f"{self._resource}/cryptoKeyVersions/")
            )

        sealed: bytes = self._ask("encrypt", request, sound).ciphertext
        return sealed

    def decrypt(self, ciphertext: bytes, associated_data: bytes) -> bytes:
        """Raises NorenError like `encrypt`, and when this key did not make the ciphertext."""
        from google.cloud import kms_v1

        request = kms_v1.DecryptRequest(
            name=self._resource,
            ciphertext=ciphertext,
            ciphertext_crc32c=_crc(ciphertext),
            additional_authenticated_data=associated_data,
            additional_authenticated_data_crc32c=_crc(associated_data),
        )
        data: bytes = self._ask(
            "decrypt", request, lambda answer: bool(answer.plaintext_crc32c == _crc(answer.plaintext))
        ).plaintext
        return data

    def state(self) -> str:
        """The state and version of the primary, e.g. `ENABLED, version 3`. Raises NorenError like `encrypt`."""
        from google.cloud import kms_v1

        key = self._ask("get_crypto_key", kms_v1.GetCryptoKeyRequest(name=self._resource), lambda _: True)
        if key.purpose != kms_v1.CryptoKey.CryptoKeyPurpose.ENCRYPT_DECRYPT:
            raise NorenError(f"{self._name}: is no key for symmetric encryption; make one of purpose ENCRYPT_DECRYPT.")
        return f"{key.primary.state.name}, version {key.primary.name.rpartition('/')[2]}"

    def _ask(self, method: str, request: Any, sound: Callable[[Any], bool]) -> Any:
        """The answer to a request, asked again while its checksums are wrong.

        The library itself repeats what is unavailable or late.
        """
        from google.api_core import exceptions, retry
        from google.auth.exceptions import GoogleAuthError

        transient = retry.Retry(
            predicate=retry.if_exception_type(exceptions.ServiceUnavailable, exceptions.DeadlineExceeded),
            initial=0.1,
            maximum=5.0,
            timeout=TIMEOUT,
        )
        failure = ""
        try:
            call = getattr(self._connected(), method)
            for _ in range(ATTEMPTS):
                answer = call(request=request, retry=transient, timeout=TIMEOUT)
                if sound(answer):
                    return answer
            failure = f"answers of Cloud KMS were damaged on the way, {ATTEMPTS} times (CRC32C); try again."
        except exceptions.PermissionDenied:
            role = {"encrypt": "cryptoKeyEncrypter", "decrypt": "cryptoKeyDecrypter"}.get(method, "viewer")
            action = {"encrypt": "encrypt with", "decrypt": "decrypt with"}.get(method, "look at")
            failure = f"this identity may not {action} the key; grant it roles/cloudkms.{role} on it."
        except exceptions.NotFound:
            failure = "there is no such key; create it, or mend the name in NOREN_KMS_KEY."
        except exceptions.FailedPrecondition:
            failure = "the key, or the version that is needed, is disabled or destroyed; enable it in Cloud KMS."
        except exceptions.InvalidArgument:
            failure = (
                "what is to be opened was not wrapped by this key under this name; restore the keyset's object."
                if method == "decrypt"
                else "Cloud KMS refuses the request; is it a key for symmetric encryption?"
            )
        except (exceptions.RetryError, exceptions.ServiceUnavailable, exceptions.DeadlineExceeded):
            failure = f"Cloud KMS was out of reach for {TIMEOUT:.0f} s; try again."
        except GoogleAuthError:
            failure = "there are no valid credentials; run gcloud auth application-default login."
        except exceptions.GoogleAPICallError as error:
            failure = f"Cloud KMS answers {error.grpc_status_code.name if error.grpc_status_code else error.code}."
        raise NorenError(f"{self._name}: {failure}")

    def _connected(self) -> "kms_v1.KeyManagementServiceClient":
        if self._client is None:
            self._client = client(os.environ.get(EMULATOR))
        return self._client

    def __repr__(self) -> str:
        return f"KmsKey({self._name})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is never pickled: open it in the process that needs it")


def client(emulator: str | None = None) -> "kms_v1.KeyManagementServiceClient":
    """A client of google-cloud-kms.

    emulator: host:port of a stand-in on this machine; None is Cloud KMS with application default credentials.
    Raises NorenError for a stand-in elsewhere: keys would go there in clear.
    """
    from google.cloud import kms_v1

    # With its debug logging on, the library logs requests and answers whole, and these hold keysets in clear.
    for name in ("grpc", "grpc_asyncio", "rest"):
        log = logging.getLogger(f"{_CLIENT_LOG}.transports.{name}")
        if _nothing not in log.filters:
            log.addFilter(_nothing)
    if emulator is None:
        return kms_v1.KeyManagementServiceClient()
    from google.cloud.kms_v1.services.key_management_service.transports import KeyManagementServiceGrpcTransport

    if not is_loopback(emulator.rpartition(":")[0]):
        raise NorenError(f"{EMULATOR}: {emulator} is not on this machine; use 127.0.0.1:PORT.")
    return kms_v1.KeyManagementServiceClient(transport=KeyManagementServiceGrpcTransport(channel=plain(emulator)))


def _nothing(_: logging.LogRecord) -> bool:
    return False


def _crc(data: bytes) -> int:
    import google_crc32c

    value: int = google_crc32c.value(data)
    return value
