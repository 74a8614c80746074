"""Writes the access files to live datasets: one read, one comparison and at most one patch a dataset.

Two owners of a dataset's access list lose each other's entries, and concurrent writers leave views unauthorized
(dbt-bigquery#126, #266): so a patch carries the etag that was read, and on 412 everything is read again. Datasets take
five updates in ten seconds: nothing is sent where nothing differs (terraform-provider-google#7224).

Two phases, because a view is built after its dataset exists and authorized after it is built: `grants` before the
build, everything after it. BigQuery binds an authorization to the view's identity, not its name: a view that was
dropped and made again has lost it (dbt-bigquery#1189). Its entry is then gone from the live list, so the phase after
the build puts it back.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from dataflow.errors import NorenError
from iam.entries import Entry, Json, entries
from iam.files import AccessFiles

if TYPE_CHECKING:
    from google.cloud import bigquery

ATTEMPTS = 12
"""Reads and writes of one dataset that lose against other writers before it is given up."""
PAUSE_SECONDS = 0.1
DAY_MS = 86_400_000
ACCESS_POLICY_VERSION = {"accessPolicyVersion": 3}
"""Without it BigQuery hides conditions, and a patch of what it showed would drop them."""


@dataclass(frozen=True)
class Change:
    """What was done, or would be, to one dataset.

    action: `create`, `add`, `remove`, or `skip` for an authorization whose view does not exist yet.
    what: the entry, as a person reads it; for `create` the dataset's location and settings.
    """

    dataset: str
    action: str
    what: str

    def __str__(self) -> str:
        sign = {"create": "created", "add": "+", "remove": "-", "skip": "skipped"}[self.action]
        note = ": it does not exist yet, run this again after the build" if self.action == "skip" else ""
        return f"{self.dataset}: {sign} {self.what}{note}"

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def apply(
    client: "bigquery.Client",
    files: AccessFiles,
    *,
    grants_only: bool = False,
    dry_run: bool = False,
    say: Callable[[Change], None] = lambda _: None,
) -> list[Change]:
    """Make every live dataset's access list what the files say.

    grants_only: leave authorized views, datasets and routines as they are (the phase before the build).
    dry_run: read and compare, write nothing.
    say: is given each change as soon as it is made.
    Raises NorenError when BigQuery refuses, or when other writers win ATTEMPTS times; earlier datasets stay changed,
    and another call goes on from there.
    """
    done: list[Change] = []
    live = Live(client)
    for dataset in files.datasets:
        changes = _dataset(live, files, dataset, grants_only, dry_run)
        for change in changes:
            say(change)
        done.extend(changes)
    return done


def wanted(files: AccessFiles, dataset: str) -> tuple[Entry, ...]:
    """All entries that the files state for a dataset."""
    return (*files.datasets[dataset], *files.authorized.get(dataset, ()))


def difference(
    live: Iterable[Entry], desired: Iterable[Entry], authoritative: bool
) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """(added, removed): what to add to the live list and what to remove from it.

    An additive list only grows. An entry of a kind that is not known here is never removed.
    """
    live, desired = tuple(live), tuple(desired)
    added = tuple(entry for entry in desired if entry not in live)
    removed = tuple(e for e in live if e not in desired and e.kind != "unknown") if authoritative else ()
    return added, removed


class Live:
    """Datasets as they are, read and written as plain JSON so that nothing the client does not model is lost."""

    def __init__(self, client: "bigquery.Client") -> None:
        self._client, self._exists = client, dict[str, bool]()

    def dataset(self, dataset: str) -> Json | None:
        """The dataset resource, or None."""
        from google.api_core.exceptions import NotFound

        try:
            return self._call("GET", f"/{dataset}", query_params=ACCESS_POLICY_VERSION)
        except NotFound:
            return None

    def create(self, resource: Json) -> bool:
        """Make a dataset; False when somebody else made it in the meantime."""
        from google.api_core.exceptions import Conflict

        try:
            self._call("POST", "", query_params=ACCESS_POLICY_VERSION, data=resource)
        except Conflict:
            return False
        return True

    def patch(self, dataset: str, access: list[Json], etag: str) -> bool:
        """Replace the access list; False when the dataset is no longer the one that was read."""
        from google.api_core.exceptions import PreconditionFailed

        try:
            self._call(
                "PATCH",
                f"/{dataset}",
                query_params=ACCESS_POLICY_VERSION,
                data={"access": access},
                headers={"If-Match": etag},
            )
        except PreconditionFailed:
            return False
        return True

    def exists(self, entry: Entry) -> bool:
        """Whether the view, dataset or routine of an entry exists."""
        if entry.key not in self._exists:
            self._exists[entry.key] = self._look(entry)
        return self._exists[entry.key]

    def _look(self, entry: Entry) -> bool:
        from google.api_core.exceptions import NotFound

        reference = entry.subject.get("dataset", entry.subject)
        path = f"/projects/{reference['projectId']}/datasets/{reference['datasetId']}"
        path += f"/tables/{reference['tableId']}" if "tableId" in reference else ""
        path += f"/routines/{reference['routineId']}" if "routineId" in reference else ""
        try:
            self._request("GET", path)
        except NotFound:
            return False
        return True

    def _call(self, method: str, path: str, **arguments: Any) -> Json:
        return self._request(method, f"/projects/{self._client.project}/datasets{path}", **arguments)

    def _request(self, method: str, path: str, **arguments: Any) -> Json:
        from google.api_core.exceptions import Conflict, GoogleAPICallError, NotFound, PreconditionFailed
        from google.cloud.bigquery.retry import DEFAULT_RETRY

        call = DEFAULT_RETRY(self._client._connection.api_request)
        try:
            answer: Json = call(method=method, path=path, **arguments)
        except (Conflict, NotFound, PreconditionFailed):
            raise
        except GoogleAPICallError as error:
            raise NorenError(f"BigQuery refused {method} {path}: {error.message}") from error
        return answer


def _dataset(live: Live, files: AccessFiles, dataset: str, grants_only: bool, dry_run: bool) -> list[Change]:
    for attempt in range(ATTEMPTS):
        resource = live.dataset(dataset)
        if resource is None:
            if dry_run or live.create(_new(files, dataset)):
                created = [Change(dataset, "create", _description(files, dataset))]
                created += [Change(dataset, "add", str(entry)) for entry in files.datasets[dataset]]
                return created if grants_only else created + _authorizations(live, files, dataset, dry_run)
            continue
        changes, access = _plan(live, files, dataset, resource, grants_only)
        if dry_run or access is None or live.patch(dataset, access, resource["etag"]):
            return changes
        time.sleep(PAUSE_SECONDS * random.uniform(1, 2 + attempt))  # noqa: S311
    raise NorenError(f"dataset {dataset}: other writers changed it {ATTEMPTS} times in between: try again later.")


def _plan(
    live: Live, files: AccessFiles, dataset: str, resource: Json, grants_only: bool
) -> tuple[list[Change], list[Json] | None]:
    """The changes, and the access list to send; None when nothing differs."""
    present = entries(resource.get("access", []))
    considered = tuple(entry for entry in present if not (grants_only and entry.authorizes))
    desired = tuple(entry for entry in wanted(files, dataset) if not (grants_only and entry.authorizes))
    added, removed = difference(considered, desired, files.layers.of(dataset).apply == "authoritative")
    missing = tuple(entry for entry in added if entry.authorizes and not live.exists(entry))
    added = tuple(entry for entry in added if entry not in missing)
    changes = [
        *(Change(dataset, "add", str(entry)) for entry in added),
        *(Change(dataset, "remove", str(entry)) for entry in removed),
        *(Change(dataset, "skip", str(entry)) for entry in missing),
    ]
    if not added and not removed:
        return changes, None
    kept = [entry.given for entry in present if entry not in removed]
    return changes, kept + [entry.resource for entry in added]


def _authorizations(live: Live, files: AccessFiles, dataset: str, dry_run: bool) -> list[Change]:
    """The authorizations of a dataset that was made a moment ago."""
    if dry_run:
        return [Change(dataset, "add" if live.exists(e) else "skip", str(e)) for e in files.authorized.get(dataset, ())]
    return _dataset(live, files, dataset, grants_only=False, dry_run=False) if dataset in files.authorized else []


def _new(files: AccessFiles, dataset: str) -> Json:
    """The resource of a dataset that does not exist yet. Its access is stated: else BigQuery grants project roles."""
    layer = files.layers.of(dataset)
    resource: Json = {
        "datasetReference": {"projectId": files.project, "datasetId": dataset},
        "location": layer.location,
        "description": layer.description,
        "labels": dict(layer.labels),
        "access": [entry.resource for entry in files.datasets[dataset]],
    }
    if layer.partition_expiry_days is not None:
        resource["defaultPartitionExpirationMs"] = str(layer.partition_expiry_days * DAY_MS)
    return resource


def _description(files: AccessFiles, dataset: str) -> str:
    def parts() -> Iterator[str]:
        layer = files.layers.of(dataset)
        yield f"in {layer.location}"
        if layer.partition_expiry_days is not None:
            yield f"partitions expire after {layer.partition_expiry_days} days"
        yield ", ".join(f"{key}={value}" for key, value in layer.labels.items())

    return "; ".join(parts())
