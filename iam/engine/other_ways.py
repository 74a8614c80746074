"""Ways to raw data that are no query: decrypting, connections, the raw topic, the archive, acting as the worker.

They are grants of other services on the project; the engine lists them beside its answers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from iam.engine.world import World
from iam.entries import Entry
from iam.positions import Place

WAYS: dict[str, tuple[str, ...]] = {
    "decrypts keys": (
        "roles/cloudkms.cryptoKeyDecrypter",
        "roles/cloudkms.cryptoKeyEncrypterDecrypter",
        "roles/cloudkms.cryptoOperator",
        "roles/cloudkms.admin",
        "roles/owner",
    ),
    "uses connections, which read with rights of their own": (
        "roles/bigquery.connectionUser",
        "roles/bigquery.connectionAdmin",
        "roles/bigquery.admin",
        "roles/owner",
        "roles/editor",
    ),
    "reads the raw topics": (
        "roles/pubsub.subscriber",
        "roles/pubsub.editor",
        "roles/pubsub.admin",
        "roles/owner",
        "roles/editor",
    ),
    "reads the archive of raw objects": (
        "roles/storage.objectViewer",
        "roles/storage.objectUser",
        "roles/storage.objectAdmin",
        "roles/storage.admin",
        "roles/storage.legacyBucketOwner",
        "roles/owner",
        "roles/editor",
        "roles/viewer",
    ),
    "acts as a service account, the worker's too": (
        "roles/iam.serviceAccountTokenCreator",
        "roles/iam.serviceAccountUser",
        "roles/iam.serviceAccountKeyAdmin",
        "roles/iam.serviceAccountAdmin",
        "roles/iam.workloadIdentityUser",
        "roles/owner",
        "roles/editor",
    ),
    "grants itself anything": (
        "roles/resourcemanager.projectIamAdmin",
        "roles/iam.securityAdmin",
        "roles/bigquery.admin",
        "roles/owner",
    ),
}
"""what one can do -> the roles that let one. https://cloud.google.com/iam/docs/roles-permissions"""


@dataclass(frozen=True)
class OtherWay:
    """A grant that reaches raw data without a query. what: one of WAYS."""

    what: str
    entry: Entry

    @property
    def place(self) -> Place | None:
        return self.entry.place

    def __str__(self) -> str:
        return f"{self.entry} {self.what}" + (f" ({self.place})" if self.place else "")


def other_ways(world: World) -> Iterator[OtherWay]:
    """Those that the grants on the project show. Grants on single keys, topics, buckets and service accounts are not
    known: an answer says so."""
    for grants in world.project_grants.values():
        for entry in grants:
            for what, roles in WAYS.items():
                if entry.role in roles:
                    yield OtherWay(what, entry)
