"""tables.*, tabledata.* and row access policies of the API."""

from typing import Any

import httpx

from iam.engine import Action, TableName
from iam.engine.denials import no_table
from iam.references import UnreadableSQLError, parse, tables, view_sources
from scripts.stack.gateway import errors, resources
from scripts.stack.gateway.catalogue import tags
from scripts.stack.gateway.core import Call, Core, dataset_path, table_path
from scripts.stack.gateway.resources import RESULTS, Json, mapping
from scripts.stack.gateway.statements import refuse_past
from scripts.stack.gateway.upstream import path

PAGE = ("maxResults", "pageToken")


def listing(core: Core, call: Call) -> httpx.Response:
    core.guard.need_dataset(call.caller, Action.METADATA, call.dataset)
    where = f"{dataset_path(core.project, call.dataset)}/tables"
    return core.upstream.send("GET", where, call.caller, params=call.only(*PAGE))


def get(core: Core, call: Call) -> httpx.Response:
    _need(core, call, Action.METADATA)
    return core.upstream.send("GET", table_path(call.table), call.caller, params=call.only("selectedFields", "view"))


def insert(core: Core, call: Call) -> httpx.Response:
    body = call.body
    reference = mapping(mapping(body).get("tableReference"))
    name = TableName(core.project, call.dataset, str(reference.get("tableId", "")))
    core.guard.need_table(call.caller, Action.WRITE, name)
    checked = resources.table_resource(body, name)
    resources.table_name(checked["tableReference"], core.project)
    if "materializedView" in checked:
        raise errors.not_served("A materialized view that is not made by CREATE MATERIALIZED VIEW")
    if "view" in checked:
        checked["view"] = _view(core, call, checked["view"])
    where = f"{dataset_path(core.project, call.dataset)}/tables"
    return core.changed(core.upstream.send("POST", where, call.caller, body=checked))


def patch(core: Core, call: Call) -> httpx.Response:
    return _change(core, call, "PATCH")


def update(core: Core, call: Call) -> httpx.Response:
    return _change(core, call, "PUT")


def delete(core: Core, call: Call) -> httpx.Response:
    core.guard.need_table(call.caller, Action.WRITE, call.table)
    return core.changed(core.upstream.send("DELETE", table_path(call.table), call.caller))


def rows(core: Core, call: Call) -> httpx.Response:
    """tabledata.list: of tables alone, and only where no row access policy would be passed by."""
    _need(core, call, Action.METADATA)
    if call.dataset != RESULTS:
        resource = core.guard.catalogue.table(call.table)
        if resource is not None and resource.get("type") != "TABLE":
            raise errors.invalid(f"Cannot list a table of type {resource.get('type')}.")
        core.guard.need_read(call.caller, {call.table}, Action.LIST_ROWS)
    known = (*PAGE, "startIndex", "selectedFields", "formatOptions.useInt64Timestamp")
    return core.upstream.send("GET", f"{table_path(call.table)}/data", call.caller, params=call.only(*known))


def insert_rows(core: Core, call: Call) -> httpx.Response:
    core.guard.need_table(call.caller, Action.WRITE, call.table)
    known = ("kind", "rows", "skipInvalidRows", "ignoreUnknownValues", "traceId")
    body = resources.only(call.body, known, "An insertAll request")
    return core.upstream.send("POST", f"{table_path(call.table)}/insertAll", call.caller, body=body)


def policies(core: Core, call: Call) -> httpx.Response:
    core.guard.need_table(call.caller, Action.OWN, call.table)
    return core.upstream.send("GET", f"{table_path(call.table)}/rowAccessPolicies", call.caller)


def insert_policy(core: Core, call: Call) -> httpx.Response:
    body = _policy(core, call)
    where = f"{table_path(call.table)}/rowAccessPolicies"
    return core.changed(core.upstream.send("POST", where, call.caller, body=body))


def update_policy(core: Core, call: Call) -> httpx.Response:
    body = _policy(core, call)
    return core.changed(core.upstream.send("PUT", _policy_path(call), call.caller, body=body))


def delete_policy(core: Core, call: Call) -> httpx.Response:
    core.guard.need_table(call.caller, Action.OWN, call.table)
    return core.changed(core.upstream.send("DELETE", _policy_path(call), call.caller))


def _policy_path(call: Call) -> str:
    return f"{table_path(call.table)}{path('rowAccessPolicies', call.names['policy'])}"


def _policy(core: Core, call: Call) -> dict[str, Any]:
    """The row access policy that a request brings. Raises RefusedError for a filter that reads something else."""
    core.guard.need_table(call.caller, Action.OWN, call.table)
    known = ("rowAccessPolicyReference", "filterPredicate", "grantees")
    body = resources.only(call.body, known, "A row access policy")
    if not isinstance(body.get("grantees", []), list):
        raise errors.invalid("grantees must be a list.")
    body["grantees"] = [_lower(member) for member in body.get("grantees", [])]
    try:
        [tree] = parse(f"SELECT {body.get('filterPredicate', '')}")
        if list(tables(tree, core.project, None)):
            raise errors.not_served("A filter with a subquery")
    except (UnreadableSQLError, ValueError):
        raise errors.denied("The filter of the row access policy is not understood here.") from None
    return body


def _need(core: Core, call: Call, action: Action) -> None:
    """The right on the table of the path; an anonymous result belongs to whose job it is."""
    if call.dataset != RESULTS:
        core.guard.need_table(call.caller, action, call.table)
    elif not core.owners.owns(call.caller, call.table.table):
        raise errors.refused(no_table(call.table, action))


def _change(core: Core, call: Call, method: str) -> httpx.Response:
    core.guard.need_table(call.caller, Action.WRITE, call.table)
    body = resources.table_resource(call.body, call.table)
    core.guard.catalogue.forget()
    present = core.guard.catalogue.table(call.table) or {}
    whole = method == "PUT"  # what it leaves out is gone: the schema with its tags, a view's definition
    if (whole or "schema" in body) and tags(body) != tags(present):
        # bigquery.tables.setCategory is an owner's: https://cloud.google.com/bigquery/docs/column-level-security
        core.guard.need_dataset(call.caller, Action.OWN, call.dataset)
    for key in ("view", "materializedView"):
        if key in body or (whole and key in present):
            body[key] = _unchanged(present.get(key), body.get(key))
    return core.changed(
        core.upstream.send(method, table_path(call.table), call.caller, body=body, headers=call.condition)
    )


def _view(core: Core, call: Call, given: Any) -> Json:
    """A view's definition: who makes the view may read everything that it reads."""
    view = resources.only(given, resources.VIEW_KEYS, "A view")
    if view.get("useLegacySql") is True:
        raise errors.not_served("Legacy SQL")
    try:
        sources = view_sources(str(view.get("query", "")), core.project)
        refuse_past(parse(str(view.get("query", "")))[0])
    except UnreadableSQLError as error:
        raise errors.denied(str(error)) from None
    core.guard.need_read(call.caller, sources)
    return {**view, "useLegacySql": False}


def _unchanged(present: Any, given: Any) -> Json:
    """The emulator would record another definition, but go on to run the one it has: what it records decides here."""
    query = given.get("query") if isinstance(given, dict) else None
    if not isinstance(present, dict) or query not in (None, present.get("query")):
        raise errors.not_served("Changing a view's definition other than by CREATE OR REPLACE VIEW")
    return present


def _lower(member: Any) -> str:
    """An IAM member as both the engine and the emulator compare it: prefix as it is, e-mail in lower case."""
    prefix, colon, rest = str(member).partition(":")
    return f"{prefix}{colon}{rest.lower()}"
