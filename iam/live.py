"""Live datasets, read and written as plain JSON so that nothing that the client does not model is lost.

BigQuery takes five updates of a dataset in ten seconds, and hides conditions from who does not ask for version 3 of
the policy: https://cloud.google.com/bigquery/docs/reference/rest/v2/datasets/get
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from dataflow.errors import NorenError
from iam.entries import Entry, Json, said

if TYPE_CHECKING:
    from google.cloud import bigquery

ACCESS_POLICY_VERSION = {"accessPolicyVersion": 3}
"""Without it BigQuery hides conditions, and a patch of what it showed would drop them."""
VIEWS = ("VIEW", "MATERIALIZED_VIEW")
"""Types, in lists of tables, of what has no row access policies of its own."""
THREADS = 8
"""Reads at once. The client's connection pool holds ten."""


class Live:
    """The datasets of a client's project."""

    def __init__(self, client: "bigquery.Client") -> None:
        self._client = client
        self._read: dict[str, Json | None] = {}
        self._tables: dict[tuple[str, str], dict[str, Json] | None] = {}

    @property
    def project(self) -> str:
        return str(self._client.project)

    def read(self, datasets: Iterable[str]) -> None:
        """Read these datasets at once: the next `dataset()` of each answers from it."""
        wanted = sorted(set(datasets))
        with ThreadPoolExecutor(THREADS) as pool:
            self._read.update(zip(wanted, pool.map(self._get, wanted), strict=True))

    def known(self) -> dict[str, Json | None]:
        """What `read` read and `dataset` has not answered with yet."""
        return dict(self._read)

    def dataset(self, dataset: str) -> Json | None:
        """The dataset resource, or None."""
        return self._read.pop(dataset) if dataset in self._read else self._get(dataset)

    def datasets(self) -> list[str]:
        """Ids of all datasets that the client may see, sorted; not those that BigQuery hides (`_...`)."""
        found, token = [], None
        while True:
            params = {"maxResults": 1000} | ({"pageToken": token} if token else {})
            page = self._call("GET", "", query_params=params)
            names = (item["datasetReference"]["datasetId"] for item in page.get("datasets", []))
            found += [name for name in names if not name.startswith("_")]
            if not (token := page.get("nextPageToken")):
                return sorted(found)

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

    def look(self, entries: Iterable[Entry]) -> None:
        """Read at once what `created` will be asked for."""
        places = {(r["projectId"], r["datasetId"]) for r in map(_reference, entries)} - self._tables.keys()
        with ThreadPoolExecutor(THREADS) as pool:
            wanted = sorted(places)
            self._tables.update(zip(wanted, pool.map(self._list, wanted), strict=True))

    def created(self, entry: Entry) -> str | None:
        """When the view, dataset or routine of an entry was made, milliseconds; None when it does not exist.

        A view that was dropped and made again has another time. Of a dataset or routine only whether it exists is told:
        `0`.
        """
        reference = _reference(entry)
        place = (reference["projectId"], reference["datasetId"])
        if place not in self._tables:
            self._tables[place] = self._list(place)
        tables = self._tables[place]
        if tables is None:
            return None
        if entry.kind == "view":
            item = tables.get(reference["tableId"])
            return None if item is None else str(item.get("creationTime", "0"))
        if entry.kind == "routine":
            return self._routine(*place, reference["routineId"])
        return "0"

    def forget(self) -> None:
        """Look anew at views, datasets and routines."""
        self._tables.clear()

    def table(self, dataset: str, table: str) -> Json | None:
        """The table resource, or None."""
        from google.api_core.exceptions import NotFound

        try:
            return self._call("GET", f"/{dataset}/tables/{table}")
        except NotFound:
            return None

    def patch_table(self, dataset: str, table: str, content: Json, etag: str) -> bool:
        """Change a table or view; False when it is no longer the one that was read."""
        from google.api_core.exceptions import PreconditionFailed

        try:
            self._call("PATCH", f"/{dataset}/tables/{table}", data=content, headers={"If-Match": etag})
        except PreconditionFailed:
            return False
        return True

    def tables(self, dataset: str, *, views: bool = True) -> list[str] | None:
        """Ids of a dataset's tables and, unless they are left out, views; None when there is no such dataset."""
        found = self._list((self.project, dataset))
        return (
            None if found is None else sorted(n for n, item in found.items() if views or item.get("type") not in VIEWS)
        )

    def row_policies_of(self, tables: Iterable[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], dict[str, Json]]]:
        """(dataset, table) -> policy -> the policy with its grantees, of those of many tables that have any."""
        wanted = list(tables)
        with ThreadPoolExecutor(THREADS) as pool:
            found = zip(wanted, pool.map(lambda name: self.row_policy_resources(*name), wanted), strict=True)
            yield from ((name, policies) for name, policies in found if policies)

    def row_policies(self, dataset: str, table: str) -> dict[str, tuple[str, frozenset[str]]]:
        """policy -> (predicate, grantees), comparable."""
        found = self.row_policy_resources(dataset, table)
        return {name: said(policy["filterPredicate"], policy["grantees"]) for name, policy in found.items()}

    def row_policy_resources(self, dataset: str, table: str) -> dict[str, Json]:
        """policy -> its reference, predicate and grantees; none of a table that is gone.

        BigQuery lists policies without their grantees: these are asked for one by one, as the members of the policy's
        IAM policy.
        """
        from google.api_core.exceptions import NotFound

        found: dict[str, Json] = {}
        where, token = f"/{dataset}/tables/{table}/rowAccessPolicies", None
        while True:
            try:
                page = self._call("GET", where, query_params={"pageToken": token} if token else {})
            except NotFound:
                return {}
            for policy in page.get("rowAccessPolicies", []):
                reference = policy["rowAccessPolicyReference"]
                name = reference["policyId"]
                grantees = policy.get("grantees")
                if grantees is None:
                    iam = self._call("POST", f"{where}/{name}:getIamPolicy", data={})
                    grantees = [member for binding in iam.get("bindings", ()) for member in binding["members"]]
                found[name] = {
                    "rowAccessPolicyReference": reference,
                    "filterPredicate": policy.get("filterPredicate", ""),
                    "grantees": list(grantees),
                }
            if not (token := page.get("nextPageToken")):
                return found

    def make_row_policy(self, dataset: str, table: str, policy: Json, replace: str | None = None) -> None:
        """Make a row access policy, or write the one of the name `replace` anew."""
        where = f"/{dataset}/tables/{table}/rowAccessPolicies"
        if replace is None:
            self._call("POST", where, data=policy)
        else:
            self._call("PUT", f"{where}/{replace}", data=policy)

    def drop_row_policy(self, dataset: str, table: str, policy: str) -> None:
        """Take a row access policy away, the last one too."""
        self._call("DELETE", f"/{dataset}/tables/{table}/rowAccessPolicies/{policy}", query_params={"force": True})

    def _list(self, place: tuple[str, str]) -> dict[str, Json] | None:
        """table or view -> what the list tells of it; None when there is no such dataset."""
        from google.api_core.exceptions import NotFound

        found: dict[str, Json] = {}
        token = None
        while True:
            params: dict[str, Any] = {"maxResults": 1000} | ({"pageToken": token} if token else {})
            try:
                page = self._request("GET", f"/projects/{place[0]}/datasets/{place[1]}/tables", query_params=params)
            except NotFound:
                return None
            for item in page.get("tables", []):
                found[item["tableReference"]["tableId"]] = item
            if not (token := page.get("nextPageToken")):
                return found

    def _routine(self, project: str, dataset: str, routine: str) -> str | None:
        from google.api_core.exceptions import NotFound

        try:
            self._request("GET", f"/projects/{project}/datasets/{dataset}/routines/{routine}")
        except NotFound:
            return None
        return "0"

    def _get(self, dataset: str) -> Json | None:
        from google.api_core.exceptions import NotFound

        try:
            return self._call("GET", f"/{dataset}", query_params=ACCESS_POLICY_VERSION)
        except NotFound:
            return None

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


def _reference(entry: Entry) -> Json:
    found: Json = entry.subject.get("dataset", entry.subject)
    return found
