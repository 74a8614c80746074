"""jobs.* of the API: a caller sees nobody's jobs and results but the caller's own."""

from typing import Any

import httpx

from iam.engine import Action, TableName
from scripts.stack.gateway import errors, resources
from scripts.stack.gateway.core import Answer, Call, Core
from scripts.stack.gateway.owners import CHILD, JOB_ID
from scripts.stack.gateway.queries import Queries, refuse_sessions
from scripts.stack.gateway.resources import Json, mapping
from scripts.stack.gateway.upstream import path

LIST_PARAMETERS = ("stateFilter", "minCreationTime", "maxCreationTime")
RESULT_PARAMETERS = ("maxResults", "pageToken", "startIndex", "timeoutMs", "formatOptions.useInt64Timestamp")


def insert(core: Core, call: Call) -> httpx.Response:
    return submitted(
        core, call.caller, core.upstream.send("POST", _jobs(core), call.caller, body=job(core, call, call.body))
    )


def job(core: Core, call: Call, given: Any) -> Json:
    """A checked job resource, rebuilt from what is understood."""
    body = mapping(given)
    checked: Json = {"configuration": checks(core, call).configuration(body.get("configuration"))}
    if (identifier := mapping(body.get("jobReference")).get("jobId")) is not None:
        checked["jobReference"] = {"projectId": core.project, "jobId": _job_id(identifier)}
    return checked


def query(core: Core, call: Call) -> httpx.Response:
    """jobs.query: a query and its first rows in one request."""
    core.guard.need_project(call.caller, Action.RUN_JOBS)
    refuse_sessions(call.body)
    ignored = ("kind", "createSession", "connectionProperties", "preserveNulls", "writeIncrementalResults", "maxSlots")
    body = resources.only(call.body, resources.REQUEST_KEYS, "A query request", ignored)
    configuration = {key: value for key, value in body.items() if key in resources.QUERY_KEYS}
    checks(core, call).query(configuration)
    if "requestId" in body:
        body["requestId"] = _job_id(body["requestId"])
    response = core.upstream.send("POST", path("projects", core.project, "queries"), call.caller, body=body)
    return submitted(core, call.caller, response)


def checks(core: Core, call: Call) -> Queries:
    def dry_run(configuration: Json) -> list[TableName]:
        body = {"configuration": {"query": configuration, "dryRun": True}}
        response = core.upstream.send("POST", _jobs(core), call.caller, body=body)
        if response.is_error:
            raise passed_on(response)
        found = response.json()["statistics"]["query"].get("referencedTables", [])
        return [TableName(table["projectId"], table["datasetId"], table["tableId"]) for table in found]

    return Queries(core.guard, core.project, call.caller, dry_run)


def get(core: Core, call: Call) -> httpx.Response:
    return _own(core, call, "GET", path("projects", core.project, "jobs", call.job))


def cancel(core: Core, call: Call) -> httpx.Response:
    return _own(core, call, "POST", path("projects", core.project, "jobs", call.job, "cancel"))


def delete(core: Core, call: Call) -> httpx.Response:
    return _own(core, call, "DELETE", path("projects", core.project, "jobs", call.job, "delete"))


def results(core: Core, call: Call) -> httpx.Response:
    where = path("projects", core.project, "queries", call.job)
    return _own(core, call, "GET", where, call.only(*RESULT_PARAMETERS))


def listing(core: Core, call: Call) -> Answer:
    """The caller's own jobs, on one page of at most maxResults."""
    params = call.only(*LIST_PARAMETERS)
    if parent := call.params.get("parentJobId"):
        _need_own(core, call.caller, parent)
        params["parentJobId"] = parent
    response = core.upstream.send("GET", _jobs(core), call.caller, params=params)
    response.raise_for_status()
    own = [
        item for item in response.json().get("jobs", []) if core.owners.owns(call.caller, item["jobReference"]["jobId"])
    ]
    limit = call.params.get("maxResults", "")
    return Answer(200, {"kind": "bigquery#jobList", "jobs": own[: int(limit)] if limit.isdigit() else own})


def submitted(core: Core, caller: str, response: httpx.Response) -> httpx.Response:
    """Remember whose job was accepted."""
    if response.is_success:
        reference = response.json().get("jobReference") or {}
        if identifier := reference.get("jobId"):
            core.owners.record(identifier, caller)
    return core.changed(response)


def passed_on(response: httpx.Response) -> errors.RefusedError:
    """The emulator's own error."""
    error = response.json().get("error", {})
    reason = (error.get("errors") or [{}])[0].get("reason", "backendError")
    return errors.RefusedError(response.status_code, reason, error.get("status", ""), error.get("message", ""))


def _own(core: Core, call: Call, method: str, where: str, params: dict[str, str] | None = None) -> httpx.Response:
    _need_own(core, call.caller, call.job)
    return core.upstream.send(method, where, call.caller, params=params)


def _need_own(core: Core, caller: str, identifier: str) -> None:
    if not JOB_ID.fullmatch(identifier) or not core.owners.owns(caller, identifier):
        raise errors.no_job(core.project, identifier)


def _job_id(given: Any) -> str:
    if not isinstance(given, str) or not JOB_ID.fullmatch(given) or CHILD.fullmatch(given):
        raise errors.invalid(
            "A job id has letters, digits, underscores and dashes, and is not one of a script's statement."
        )
    return given


def _jobs(core: Core) -> str:
    return path("projects", core.project, "jobs")
