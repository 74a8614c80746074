"""One case on a real BigQuery: made by an administrator, asked by the case's caller, thrown away.

Plain requests through the ordinary client: it models neither conditions nor row access policies.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from iam.entries import Json
from iam.live import ACCESS_POLICY_VERSION
from iam.verify.cases import COLUMNS, Case

if TYPE_CHECKING:
    from google.cloud import bigquery

LABELS = {"noren": "verify"}
"""On every dataset: what a killed run left is found by it."""
LIFETIME = 3_600_000
"""Default expiration of tables, ms: what nobody cleaned up is empty after an hour."""
ROWS = (("x", "1", "s"), ("y", "1", "s"))
"""Values of a, b and secret."""
DELETE_SECONDS = 60
"""For one dataset, tries included."""
REFUSED = (400, 403, 404)


@dataclass(frozen=True)
class Answer:
    """allowed: whether it was done. rows: how many came. message: else the first line of the refusal."""

    allowed: bool
    rows: int | None = None
    message: str = ""


class SettingError(Exception):
    """BigQuery does not take a case's datasets, views or policies. Its text is BigQuery's."""


@dataclass
class Player:
    """administrator: makes everything; `owner` is its address, an owner of every dataset. caller: client of an address.

    tags: name of a policy tag -> its resource name. made: datasets that are to be thrown away, from before they are
    made.
    """

    administrator: "bigquery.Client"
    owner: str
    caller: "Callable[[str], bigquery.Client]"
    location: str
    tags: Mapping[str, str] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)

    def set_up(self, case: Case) -> None:
        """Raises SettingError."""
        from google.api_core.exceptions import GoogleAPICallError

        try:
            self._set_up(case)
        except GoogleAPICallError as error:
            raise SettingError(str(error.message).splitlines()[0]) from error

    def _set_up(self, case: Case) -> None:
        members = {name: [e for e in access if "role" in e] for name, access in case.access.items()}
        for name, access in members.items():
            self._dataset(name, access)
        for name in case.tables:
            if name.partition(".")[0] in members:
                self._table(name, case.tags.get(name, {}))
        for name, sql in case.views.items():
            body = {"tableReference": self._reference(name), "view": {"query": sql, "useLegacySql": False}}
            self._make("POST", f"/datasets/{name.partition('.')[0]}/tables", body)
        for name, sql in case.given.get("routines", {}).items():
            made = f"CREATE TABLE FUNCTION `{self.project}`.{case.full(name)}() AS {case.sql(sql)}"
            self.administrator.query(made).result()
        for name, access in case.access.items():
            if len(access) > len(members[name]):  # an authorized view has to be there before
                self._make("PATCH", f"/datasets/{name}", {"access": self._owned(access)}, ACCESS_POLICY_VERSION)
        for name, policies in case.row_policies.items():
            dataset, _, table = name.partition(".")
            for policy in policies:
                body = {
                    "rowAccessPolicyReference": {"policyId": policy["policy"]},
                    "filterPredicate": policy["filter"],
                    "grantees": policy["grantees"],
                }
                self._make("POST", f"/datasets/{dataset}/tables/{table}/rowAccessPolicies", body)

    def ask(self, case: Case) -> Answer:
        """What the case's caller gets. Raises GoogleAPICallError for an answer that is neither yes nor no."""
        from google.api_core.exceptions import GoogleAPICallError

        client = self.caller(case.caller)
        on = case.full(case.given["of"])
        try:
            return Answer(True, self._do(client, case, on))
        except GoogleAPICallError as error:
            message = str(error.message).splitlines()[0]
            denied = "denied" in message.lower() or "permission" in message.lower() or error.code == 403
            if error.code in REFUSED and (denied or error.code == 404):
                return Answer(False, message=message)
            raise
        finally:
            client.close()

    def _do(self, client: "bigquery.Client", case: Case, on: str) -> int | None:
        dataset, _, table = on.partition(".")
        where = f"/projects/{self.project}/datasets/{dataset}/tables/{table}"
        if case.do == "query":
            return int(client.query(case.query, location=self.location).result().total_rows or 0)
        if case.do == "list":
            return int(self._call(client, "GET", f"{where}/data").get("totalRows", 0))
        if case.do == "metadata":
            self._call(client, "GET", where)
        elif case.do == "write":
            self._call(client, "PATCH", where, {"description": "changed"})
        elif case.do == "own":
            own = f"/projects/{self.project}/datasets/{case.dataset(case.given['of'])}"
            self._call(client, "PATCH", own, {"description": "changed"})
        elif case.do == "dml":
            client.query(f"DELETE FROM `{self.project}`.{on} WHERE a = 'x'", location=self.location).result()  # noqa: S608
        else:
            full = f"{self.project}.{on}"
            client.copy_table(full, f"{self.project}.{dataset}.copied", location=self.location).result()
        return None

    def throw_away(self) -> list[str]:
        """Delete what was made; the datasets that could not be deleted."""
        from google.cloud.bigquery.retry import DEFAULT_RETRY

        left, retry = [], DEFAULT_RETRY.with_timeout(DELETE_SECONDS)
        for name in self.made:
            try:
                self.administrator.delete_dataset(name, delete_contents=True, not_found_ok=True, retry=retry)
            except Exception:  # noqa: BLE001 - every dataset is tried, whatever happens to one; what is left is told
                left.append(name)
        self.made.clear()
        return left

    def leftovers(self) -> list[str]:
        """Datasets that an earlier run left."""
        wanted = " ".join(f"labels.{key}:{value}" for key, value in LABELS.items())
        found = self.administrator.list_datasets(filter=wanted)
        return [dataset.dataset_id for dataset in found if LABELS.items() <= dict(dataset.labels).items()]

    @property
    def project(self) -> str:
        return str(self.administrator.project)

    def _owned(self, access: list[Json]) -> list[Json]:
        return [*access, {"role": "OWNER", "userByEmail": self.owner}]

    def _dataset(self, name: str, access: list[Json]) -> None:
        self.made.append(name)
        body = {
            "datasetReference": {"projectId": self.project, "datasetId": name},
            "access": self._owned(access),
            "labels": LABELS,
            "location": self.location,
            "defaultTableExpirationMs": str(LIFETIME),
        }
        self._make("POST", "/datasets", body, ACCESS_POLICY_VERSION)

    def _table(self, name: str, tags: Mapping[str, str]) -> None:
        fields = [
            {
                "name": column,
                "type": "STRING",
                **({"policyTags": {"names": [self.tags[tags[column]]]}} if column in tags else {}),
            }
            for column in COLUMNS
        ]
        body = {"tableReference": self._reference(name), "schema": {"fields": fields}}
        self._make("POST", f"/datasets/{name.partition('.')[0]}/tables", body)
        rows = ", ".join(str(row) for row in ROWS)
        self.administrator.query(f"INSERT INTO `{self.project}`.{name} VALUES {rows}").result()  # noqa: S608

    def _reference(self, name: str) -> Json:
        dataset, _, table = name.partition(".")
        return {"projectId": self.project, "datasetId": dataset, "tableId": table}

    def _make(self, method: str, where: str, body: Json, params: Mapping[str, Any] | None = None) -> None:
        self._call(self.administrator, method, f"/projects/{self.project}{where}", body, params)

    @staticmethod
    def _call(
        client: "bigquery.Client",
        method: str,
        path: str,
        body: Json | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Json:
        answer: Json = client._connection.api_request(
            method=method, path=path, data=body, query_params=dict(params or {})
        )
        return answer
