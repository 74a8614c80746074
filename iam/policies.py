"""IAM policies of a project, of the folders and the organization above it, and of single tables, as access entries.

Plain REST, through an authorized session: one method of three services is no reason for three client libraries.
https://cloud.google.com/resource-manager/reference/rest/v3/projects/getIamPolicy
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from dataflow.errors import NorenError
from iam.entries import Entry, Json

RESOURCE_MANAGER = "https://cloudresourcemanager.googleapis.com"
BIGQUERY = "https://bigquery.googleapis.com"
CONDITIONS = {"options": {"requestedPolicyVersion": 3}}
"""Without it conditions are left out, and a grant for a time looks like one for good."""
MEMBERS = {"user": "userByEmail", "serviceAccount": "userByEmail", "group": "groupByEmail", "domain": "domain"}
TIMEOUT = 60
THREADS = 8


class Session(Protocol):
    """google.auth.transport.requests.AuthorizedSession, or requests.Session."""

    def request(self, method: str, url: str, **arguments: Any) -> Any: ...


class Policies:
    """Reads IAM policies.

    session: with credentials. resource_manager, bigquery: base URLs, other ones in tests.
    """

    def __init__(self, session: Session, resource_manager: str = RESOURCE_MANAGER, bigquery: str = BIGQUERY) -> None:
        self._session, self._resource_manager, self._bigquery = session, resource_manager, bigquery

    def inherited(self, project: str) -> tuple[list[Entry], list[str]]:
        """Grants on the project and on everything above it; names of those above that may not be read.

        Raises NorenError when the project's own policy may not be read.
        """
        found = list(entries(self._ask("POST", f"{self._resource_manager}/v3/projects/{project}:getIamPolicy")))
        closed: list[str] = []
        here = self._may(f"{self._resource_manager}/v3/projects/{project}")
        parent = str((here or {}).get("parent") or "")
        if here is None:
            closed.append(f"what is above projects/{project}")
        while parent:
            policy = self._may(f"{self._resource_manager}/v3/{parent}:getIamPolicy", "POST")
            if policy is None:
                closed.append(parent)
            else:
                found += entries(policy)
            if parent.startswith("organizations/"):
                break
            above = self._may(f"{self._resource_manager}/v3/{parent}")
            if above is None:
                closed.append(f"what is above {parent}")
                break
            parent = str(above.get("parent") or "")
        return found, closed

    def tables(self, project: str, tables: Iterator[tuple[str, str]]) -> dict[tuple[str, str], tuple[Entry, ...]]:
        """(dataset, table) -> grants on the table alone; tables without any are left out."""

        def ask(name: tuple[str, str]) -> tuple[tuple[str, str], tuple[Entry, ...]]:
            where = f"projects/{project}/datasets/{name[0]}/tables/{name[1]}:getIamPolicy"
            return name, tuple(entries(self._ask("POST", f"{self._bigquery}/bigquery/v2/{where}")))

        with ThreadPoolExecutor(THREADS) as pool:
            return {name: found for name, found in pool.map(ask, tables) if found}

    def _ask(self, method: str, url: str) -> Json:
        answer = self._session.request(method, url, json=CONDITIONS if method == "POST" else None, timeout=TIMEOUT)
        if answer.status_code != 200:
            raise NorenError(f"{method} {url.partition('?')[0]} was refused: {words(answer)}")
        found: Json = answer.json()
        return found

    def _may(self, url: str, method: str = "GET") -> Json | None:
        """None when the caller may not read it."""
        answer = self._session.request(method, url, json=CONDITIONS if method == "POST" else None, timeout=TIMEOUT)
        if answer.status_code in (403, 404):
            return None
        if answer.status_code != 200:
            raise NorenError(f"{method} {url} was refused: {words(answer)}")
        found: Json = answer.json()
        return found


def entries(policy: Mapping[str, Any]) -> Iterator[Entry]:
    """The access entries that an IAM policy comes to: one a role and member."""
    for binding in policy.get("bindings", ()):
        for member in binding.get("members", ()):
            prefix, _, rest = str(member).partition(":")
            who = {MEMBERS[prefix]: rest} if prefix in MEMBERS else {"iamMember": member}
            condition = binding.get("condition")
            yield Entry({"role": binding["role"], **who} | ({"condition": condition} if condition else {}))


def words(answer: Any) -> str:
    """What a refusal of Google's says."""
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
