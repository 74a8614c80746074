"""Policy tags and their fine-grained readers, in Data Catalog.

Plain REST, as in `iam/policies.py`.
https://cloud.google.com/data-catalog/docs/reference/rest/v1/projects.locations.taxonomies
"""

from collections.abc import Iterable, Iterator
from typing import Any

from dataflow.errors import NorenError
from iam.entries import Json
from iam.policies import CONDITIONS, TIMEOUT, Session, words

DATA_CATALOG = "https://datacatalog.googleapis.com"


class PolicyTags:
    """The policy tags of a project. session: with credentials. base: another URL in tests."""

    def __init__(self, session: Session, base: str = DATA_CATALOG) -> None:
        self._session, self._base = session, base

    def named(self, project: str, locations: Iterable[str]) -> dict[str, list[str]]:
        """Display name -> resource names of the tags in all taxonomies of the locations."""
        found: dict[str, list[str]] = {}
        for tag in self.all(project, locations):
            found.setdefault(tag["displayName"], []).append(tag["name"])
        return found

    def all(self, project: str, locations: Iterable[str]) -> Iterator[Json]:
        """The tags in all taxonomies of the locations, as Data Catalog tells them."""
        for location in sorted({location.lower() for location in locations}):
            for taxonomy in self._pages(f"projects/{project}/locations/{location}/taxonomies", "taxonomies"):
                yield from self._pages(f"{taxonomy['name']}/policyTags", "policyTags")

    def policy(self, tag: str) -> Json:
        """The tag's IAM policy, with its etag."""
        found: Json = self._ask("POST", f"{tag}:getIamPolicy", CONDITIONS).json()
        return found

    def write(self, tag: str, policy: Json) -> bool:
        """Replace the policy; False when it is no longer the one that was read."""
        return bool(self._ask("POST", f"{tag}:setIamPolicy", {"policy": policy}, {409}).status_code == 200)

    def _pages(self, path: str, key: str) -> Iterator[Json]:
        token = ""
        while True:
            page = self._ask("GET", f"{path}?pageSize=1000" + (f"&pageToken={token}" if token else "")).json()
            yield from page.get(key, ())
            if not (token := page.get("nextPageToken", "")):
                return

    def _ask(self, method: str, path: str, body: Json | None = None, expected: Iterable[int] = ()) -> Any:
        url = f"{self._base}/v1/{path}"
        answer = self._session.request(method, url, json=body, timeout=TIMEOUT)
        if answer.status_code not in (200, *expected):
            raise NorenError(f"Data Catalog refused {method} {path.partition('?')[0]}: {words(answer)}")
        return answer
