"""datasets.* of the API. Only an owner changes a dataset, and with it who has access."""

from typing import Any

import httpx

from iam.engine import Action
from iam.references import DATASET
from scripts.stack.gateway import errors
from scripts.stack.gateway.core import Answer, Call, Core, dataset_path
from scripts.stack.gateway.resources import mapping
from scripts.stack.gateway.upstream import path

CREATOR_RIGHTS = "OWNER"


def listing(core: Core, call: Call) -> Answer:
    """The datasets that the caller may see. All on one page."""
    response = core.upstream.send(
        "GET", path("projects", core.project, "datasets"), call.caller, params=call.only("filter")
    )
    response.raise_for_status()
    content: dict[str, Any] = response.json()
    found = [
        item
        for item in content.get("datasets", [])
        if core.guard.may(call.caller, Action.METADATA, item["datasetReference"]["datasetId"])
    ]
    return Answer(200, {"kind": "bigquery#datasetList", "datasets": found})


def get(core: Core, call: Call) -> httpx.Response:
    core.guard.need_dataset(call.caller, Action.METADATA, call.dataset)
    return core.upstream.send("GET", dataset_path(core.project, call.dataset), call.caller)


def insert(core: Core, call: Call) -> httpx.Response:
    """Who creates a dataset owns it, unless the request says who has access."""
    core.guard.need_project(call.caller, Action.CREATE_DATASETS)
    body = _body(call)
    dataset = str(mapping(body.get("datasetReference")).get("datasetId", ""))
    if not DATASET.fullmatch(dataset):
        raise errors.invalid("A dataset needs a datasetReference with a datasetId.")
    body["datasetReference"] = {"projectId": core.project, "datasetId": dataset}
    if not body.get("access"):
        body["access"] = [{"role": CREATOR_RIGHTS, "userByEmail": call.caller}]
    return core.changed(core.upstream.send("POST", path("projects", core.project, "datasets"), call.caller, body=body))


def patch(core: Core, call: Call) -> httpx.Response:
    return _change(core, call, "PATCH")


def update(core: Core, call: Call) -> httpx.Response:
    return _change(core, call, "PUT")


def delete(core: Core, call: Call) -> httpx.Response:
    core.guard.need_dataset(call.caller, Action.OWN, call.dataset)
    where = dataset_path(core.project, call.dataset)
    return core.changed(core.upstream.send("DELETE", where, call.caller, params=call.only("deleteContents")))


def _change(core: Core, call: Call, method: str) -> httpx.Response:
    core.guard.need_dataset(call.caller, Action.OWN, call.dataset)
    body = {**_body(call), "datasetReference": {"projectId": core.project, "datasetId": call.dataset}}
    if method == "PUT" and not body.get("access"):
        raise errors.invalid("An update without access would give the project's default roles: state it.")
    if "access" in body and not body["access"]:
        raise errors.invalid("A dataset needs at least one access entry.")
    where = dataset_path(core.project, call.dataset)
    return core.changed(core.upstream.send(method, where, call.caller, body=body, headers=call.condition))


def _body(call: Call) -> dict[str, Any]:
    body = call.body
    if not isinstance(body, dict):
        raise errors.invalid("A dataset must be an object.")
    if refused := sorted(body.keys() & {"externalDatasetReference", "linkedDatasetSource"}):
        raise errors.not_served(f"A dataset with {refused[0]}")
    if not isinstance(body.get("access", []), list):
        raise errors.invalid("access must be a list.")
    return body
