"""Stand-ins for Data Catalog (REST) and BigQuery's Data Policy service (gRPC), over the official messages.

What a message does not know is refused, as by the services. https://cloud.google.com/data-catalog/docs/reference/rest
and https://cloud.google.com/bigquery/docs/reference/bigquerydatapolicy/rpc
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import ThreadingHTTPServer
from typing import Any

import grpc
from google.cloud import bigquery_datapolicies_v1 as masking
from google.cloud import datacatalog_v1 as catalog
from google.iam.v1 import iam_policy_pb2, policy_pb2
from google.protobuf.json_format import MessageToDict, Parse, ParseDict

from tests.http_server import Answering

SERVICE = "google.cloud.bigquery.datapolicies.v1.DataPolicyService"


class Policies:
    """IAM policies with etags. rivals: writes of others that come between a read and a write."""

    def __init__(self) -> None:
        self.bindings: dict[str, list[dict[str, Any]]] = {}
        self.versions: dict[str, int] = {}
        self.rivals = self.writes = 0

    def get(self, asked: Any) -> policy_pb2.Policy:
        found = ParseDict({"version": 3, "bindings": self.bindings.get(asked.resource, [])}, policy_pb2.Policy())
        if asked.options.requested_policy_version < 3:  # as the services do it: what has a condition is left out
            kept = [binding for binding in found.bindings if not binding.condition.expression]
            del found.bindings[:]
            found.bindings.extend(kept)
        found.etag = b"%d" % self.versions.get(asked.resource, 1)
        if self.rivals:
            self.rivals -= 1
            self.versions[asked.resource] = self.versions.get(asked.resource, 1) + 1
        return found

    def set(self, asked: Any) -> policy_pb2.Policy | None:
        """None when it is no longer the one that was read."""
        version = self.versions.get(asked.resource, 1)
        if asked.policy.etag != b"%d" % version:
            return None
        self.bindings[asked.resource] = MessageToDict(asked.policy).get("bindings", [])
        self.versions[asked.resource] = version + 1
        self.writes += 1
        return self.get(iam_policy_pb2.GetIamPolicyRequest(resource=asked.resource))

    def members(self, resource: str, role: str) -> list[str]:
        """Who has the role for good."""
        found = (b for b in self.bindings.get(resource, ()) if b["role"] == role and "condition" not in b)
        return [member for binding in found for member in binding["members"]]


class DataCatalog(ThreadingHTTPServer):
    """tags: resource name of a policy tag -> display name. One taxonomy a page, the last tag on a page of its own."""

    def __init__(self, tags: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tags, self.policies, self.refused = tags, Policies(), False
        self.callers: set[str] = set()
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(Answering):
    server: DataCatalog

    def do_GET(self) -> None:
        path, _, query = self.path.removeprefix("/v1/").partition("?")
        self.server.callers.add(self.headers.get("authorization", ""))
        second = "pageToken=second" in query
        if path.endswith("/taxonomies"):
            names = sorted({name.partition("/policyTags/")[0] for name in self.server.tags})
            here = [name for name in names if name.startswith(f"{path}/")]
            self.page(catalog.ListTaxonomiesResponse, "taxonomies", [{"name": n} for n in here], second)
        else:
            tags = [{"name": n, "display_name": d} for n, d in self.server.tags.items() if n.startswith(f"{path}/")]
            self.page(catalog.ListPolicyTagsResponse, "policy_tags", tags, second)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        resource, _, verb = self.path.removeprefix("/v1/").partition(":")
        if self.server.refused:
            return self.answer(403, {"error": {"message": "Permission denied"}})
        request = {
            "getIamPolicy": iam_policy_pb2.GetIamPolicyRequest,
            "setIamPolicy": iam_policy_pb2.SetIamPolicyRequest,
        }[verb]
        asked = Parse(body, request())
        asked.resource = resource
        done = getattr(self.server.policies, verb[:3])(asked)
        if done is None:
            return self.answer(409, {"error": {"message": "There were concurrent policy changes."}})
        return self.answer(200, MessageToDict(done))

    def page(self, kind: Any, key: str, items: list[dict[str, str]], second: bool) -> None:
        """The first page has all but the last item."""
        shown = items[-1:] if second else items[:-1]
        token = "" if second or not items else "second"
        self.answer(200, kind.to_dict(kind({key: shown, "next_page_token": token}), preserving_proto_field_name=False))


class DataPolicyServer:
    """made: resource name -> the data policy. twin: makes the same policy just before the next one is made."""

    def __init__(self) -> None:
        self.made: dict[str, masking.DataPolicy] = {}
        self.policies, self.refused, self.twin = Policies(), False, False
        self.callers: set[str] = set()
        self._server = grpc.server(ThreadPoolExecutor(2))
        methods = {
            "ListDataPolicies": (
                self._list,
                masking.ListDataPoliciesRequest,
                masking.ListDataPoliciesResponse.serialize,
            ),
            "CreateDataPolicy": (self._create, masking.CreateDataPolicyRequest, masking.DataPolicy.serialize),
            "GetIamPolicy": (self._get, iam_policy_pb2.GetIamPolicyRequest, policy_pb2.Policy.SerializeToString),
            "SetIamPolicy": (self._set, iam_policy_pb2.SetIamPolicyRequest, policy_pb2.Policy.SerializeToString),
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                call,
                request_deserializer=getattr(request, "deserialize", None) or request.FromString,
                response_serializer=serialize,
            )
            for name, (call, request, serialize) in methods.items()
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def stop(self) -> None:
        self._server.stop(None).wait()

    def add(self, name: str, tag: str, **masked: str) -> str:
        """A data policy of others. masked: `predefined_expression` or `routine`."""
        policy = masking.DataPolicy(name=name, policy_tag=tag, data_masking_policy=masking.DataMaskingPolicy(**masked))
        self.made[name] = policy
        return name

    def _list(self, asked: Any, context: grpc.ServicerContext) -> Any:
        self._check(context)
        here = [policy for name, policy in sorted(self.made.items()) if name.startswith(f"{asked.parent}/")]
        at = int(asked.page_token or 0)
        token = str(at + 1) if at + 1 < len(here) else ""
        return masking.ListDataPoliciesResponse(data_policies=here[at : at + 1], next_page_token=token)

    def _create(self, asked: Any, context: grpc.ServicerContext) -> Any:
        self._check(context)
        policy = masking.DataPolicy(asked.data_policy)
        policy.name = f"{asked.parent}/dataPolicies/{policy.data_policy_id}"
        if self.twin:
            self.twin = False
            self.made[policy.name] = policy
        if policy.name in self.made:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, "Requested entity already exists")
        self.made[policy.name] = policy
        return policy

    def _get(self, asked: Any, context: grpc.ServicerContext) -> Any:
        self._check(context)
        return self.policies.get(asked)

    def _set(self, asked: Any, context: grpc.ServicerContext) -> Any:
        self._check(context)
        if (done := self.policies.set(asked)) is None:
            context.abort(grpc.StatusCode.ABORTED, "There were concurrent policy changes.")
        return done

    def _check(self, context: grpc.ServicerContext) -> None:
        self.callers.add(dict(context.invocation_metadata()).get("authorization", ""))
        if self.refused:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "BigQuery Data Policy API has not been used")
