"""Data policies: which masks a policy tag has, and who reads its columns through each.

A data policy binds one masking expression to one policy tag; who has the role Masked Reader on it reads the tag's
columns through that expression.
https://cloud.google.com/bigquery/docs/reference/bigquerydatapolicy/rest/v1/projects.locations.dataPolicies
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataflow.errors import NorenError
from iam.entries import Json

if TYPE_CHECKING:
    from google.cloud.bigquery_datapolicies_v1 import DataPolicyServiceClient

POLICY_VERSION = 3
"""Of an IAM policy: without it conditions are left out."""


@dataclass(frozen=True)
class Mask:
    """A data policy. name: its resource name. expression: empty for one that masks by a routine."""

    name: str
    expression: str
    routine: str = ""


class DataPolicies:
    """The data policies of a project.

    Version 1 of the service, whose policies are bound to policy tags: those of version 2 are bound to columns.
    """

    def __init__(self, client: "DataPolicyServiceClient") -> None:
        self._client = client

    def of(self, tags: Iterable[str]) -> dict[str, list[Mask]]:
        """Policy tag -> its masks, for resource names of tags."""
        wanted = {_id(tag): tag for tag in tags}
        found: dict[str, list[Mask]] = {tag: [] for tag in wanted.values()}
        for parent in sorted({_parent(tag) for tag in wanted.values()}):
            for policy in self._ask("list", self._pages, {"parent": parent, "page_size": 1000}):
                tag = wanted.get(_id(policy.policy_tag))
                masking = policy.data_masking_policy
                if tag is not None and (masking.predefined_expression or masking.routine):
                    name = masking.predefined_expression.name if masking.predefined_expression else ""
                    found[tag].append(Mask(policy.name, name, masking.routine))
        return found

    def make(self, tag: str, title: str, expression: str) -> str:
        """Make the mask of a policy tag; its resource name. title: the tag's name for people.

        Somebody who made the same one in the meantime made it for us, too.
        """
        from google.api_core.exceptions import AlreadyExists
        from google.cloud import bigquery_datapolicies_v1 as api

        words = f"{title}_{tag.rpartition('/')[2]}_{expression}"
        policy = api.DataPolicy(
            policy_tag=tag,
            data_masking_policy=api.DataMaskingPolicy(predefined_expression=expression),
            data_policy_type=api.DataPolicy.DataPolicyType.DATA_MASKING_POLICY,
            data_policy_id=re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_"),
        )
        request = {"parent": _parent(tag), "data_policy": policy}
        try:
            return str(self._ask("create", self._client.create_data_policy, request).name)
        except AlreadyExists:
            for mask in self.of([tag])[tag]:
                if mask.expression == expression:
                    return mask.name
        raise NorenError(f"there is a data policy {policy.data_policy_id} already, of another policy tag: rename it.")

    def policy(self, resource: str) -> Json:
        from google.protobuf.json_format import MessageToDict

        request = {"resource": resource, "options": {"requested_policy_version": POLICY_VERSION}}
        found: Json = MessageToDict(self._ask("getIamPolicy", self._client.get_iam_policy, request))
        return found

    def write(self, resource: str, policy: Json) -> bool:
        from google.api_core.exceptions import Aborted
        from google.iam.v1.policy_pb2 import Policy
        from google.protobuf.json_format import ParseDict

        request = {"resource": resource, "policy": ParseDict(policy, Policy())}
        try:
            self._ask("setIamPolicy", self._client.set_iam_policy, request)
        except Aborted:
            return False
        return True

    def _pages(self, request: Json) -> list[Any]:
        return list(self._client.list_data_policies(request=request))

    def _ask(self, verb: str, call: Callable[..., Any], request: Json) -> Any:
        from google.api_core.exceptions import Aborted, AlreadyExists, GoogleAPICallError

        try:
            return call(request=request)
        except (Aborted, AlreadyExists):
            raise
        except GoogleAPICallError as error:
            asked = request.get("resource") or request["parent"]
            raise NorenError(f"BigQuery Data Policy refused {verb} {asked}: {error.message}") from error


def _id(tag: str) -> str:
    """A policy tag without its project, which one service writes by its id and the other by its number."""
    return tag.partition("/locations/")[2]


def _parent(tag: str) -> str:
    return tag.partition("/taxonomies/")[0]
