"""Objects in Cloud Storage: create-if-absent is `ifGenerationMatch=0`
(https://cloud.google.com/storage/docs/request-preconditions#create_an_object)."""

from collections.abc import Iterator
from typing import Any

from google.api_core import exceptions as api

from dataflow.errors import NorenError

TIMEOUT_SECONDS = 30


class GcsObjects:
    """Objects below a prefix of a bucket. client: a `google.cloud.storage.Client`."""

    def __init__(self, client: Any, bucket: str, prefix: str = "") -> None:
        self._bucket = client.bucket(bucket)
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def create(self, name: str, data: bytes) -> bool:
        """A retry after a lost answer finds its own object: equal bytes count as created.

        Who may create and not delete, or writes where objects are retained, can be refused a name that is taken for
        that reason (403) instead of the precondition's (412).
        """
        blob = self._bucket.blob(self._prefix + name)
        try:
            blob.upload_from_string(data, "application/octet-stream", if_generation_match=0, timeout=TIMEOUT_SECONDS)
        except api.PreconditionFailed:
            return self.read(name) == data
        except api.Forbidden as error:
            if not blob.exists(timeout=TIMEOUT_SECONDS):
                raise NorenError(f"{name}: Cloud Storage refused to create it: {error.message}") from error
            return self.read(name) == data
        except api.NotFound as error:
            raise self._no_bucket() from error
        return True

    def read(self, name: str) -> bytes:
        try:
            data: bytes = self._bucket.blob(self._prefix + name).download_as_bytes(timeout=TIMEOUT_SECONDS)
        except api.NotFound as error:
            raise NorenError(f"{name}: there is no such object.") from error
        return data

    def names(self, prefix: str) -> Iterator[str]:
        found = self._bucket.list_blobs(prefix=f"{self._prefix}{prefix}/", timeout=TIMEOUT_SECONDS)
        try:
            yield from sorted(blob.name.removeprefix(self._prefix) for blob in found)
        except api.NotFound as error:
            raise self._no_bucket() from error

    def _no_bucket(self) -> NorenError:
        return NorenError(
            f"there is no bucket gs://{self._bucket.name}: terraform/ makes buckets, or name another place."
        )

    def delete(self, name: str) -> None:
        try:
            self._bucket.blob(self._prefix + name).delete(timeout=TIMEOUT_SECONDS)
        except api.NotFound:
            return
