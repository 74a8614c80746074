"""JSON Schemas of the files, for editors: made from what the loader checks by, and tested to agree with it.

noren acl schemas      # writes iam/schemas/
"""

import json
from typing import Any

from iam.entries import BASIC_ROLES, MEMBER_KINDS, RESOURCE_KINDS, Json
from iam.files import shape

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The one that editors know best."""
TEXT: Json = {"type": "string", "minLength": 1}

DESCRIPTIONS = {
    "userByEmail": "A service identity of principals.json; people come by groups.",
    "groupByEmail": "A group of groups.json.",
    "domain": "Everybody with an account of a domain.",
    "specialGroup": "Everybody with a basic role on the project; or allAuthenticatedUsers: everybody.",
    "iamMember": "group:..., user:..., serviceAccount:...",
    "view": "A view that may read the dataset that this file is named for.",
    "dataset": "A dataset whose views or routines may all read it.",
    "routine": "A routine that may read it.",
}


def schemas() -> dict[str, Json]:
    """name of the file in iam/schemas/ -> schema."""
    grants = listing(entry(MEMBER_KINDS))
    found = {
        "datasets": ("Who has which role on the dataset that the file is named for.", grants),
        "authorized_views": ("Which views, datasets and routines may read it.", listing(entry(RESOURCE_KINDS))),
        "project": ("Grants on the whole project.", grants),
        "groups": ("Groups, what each is for, and who answers for it.", listing(_group())),
        "principals": ("Service identities and their purpose.", listing(_principal())),
        "row_access_policies": ("Who sees which rows of a table.", listing(_row_policy())),
        "policy_tags": ("Who reads columns that carry a policy tag.", listing(_policy_tag())),
    }
    return {
        f"{name}.json": {"$schema": DIALECT, "title": f"iam: {name}", "description": description, **schema}
        for name, (description, schema) in found.items()
    }


def entry(kinds: tuple[str, ...]) -> Json:
    """An access entry of one of the kinds."""
    return {"type": "object", "oneOf": [_of_kind(kind) for kind in kinds]}


def listing(items: Json) -> Json:
    return {"type": "array", "items": items}


def text(schema: Json) -> str:
    """As it stands in a file."""
    return json.dumps(schema, indent=2) + "\n"


def _of_kind(kind: str) -> Json:
    condition = _object(
        {"expression": {"type": "string"}}, {key: {"type": "string"} for key in ("title", "description", "location")}
    )
    if kind in RESOURCE_KINDS:
        return _object({kind: _described(kind, _reference(kind))}, {"condition": condition})
    role = {"type": "string", "anyOf": [{"enum": list(BASIC_ROLES)}, {"pattern": _whole(shape.ROLE.pattern)}]}
    value: Json = dict(TEXT)
    if kind in ("userByEmail", "groupByEmail"):
        value = {"type": "string", "pattern": f"{_whole(shape.EMAIL.pattern)}|^deleted:"}
    elif kind == "specialGroup":
        value = {"enum": list(shape.SPECIAL_GROUPS)}
    return _object({"role": role, kind: _described(kind, value)}, {"condition": condition})


def _reference(kind: str) -> Json:
    inner = _object(dict.fromkeys(shape.REFERENCES[kind], TEXT))
    if kind != "dataset":
        return inner
    return _object({"dataset": inner, "targetTypes": {"enum": list(shape.TARGET_TYPES)}})


def _group() -> Json:
    address = {"type": "string", "pattern": _whole(shape.EMAIL.pattern)}
    required = {"group": address, "kind": TEXT, "purpose": TEXT, "owner": address}
    return _object(required, {"parents": listing(address), "members": listing(address)})


def _principal() -> Json:
    email = {"type": "string", "pattern": r"gserviceaccount\.com$"}
    return _object({"email": email, "purpose": {"type": "string"}, "active": {"type": "boolean"}})


def _row_policy() -> Json:
    reference = _object(dict.fromkeys(("projectId", "datasetId", "tableId", "policyId"), TEXT))
    predicate = {"type": "string", "pattern": r"\S"}
    return _object({"rowAccessPolicyReference": reference, "filterPredicate": predicate, "grantees": _members()})


def _policy_tag() -> Json:
    mask = _object({"predefinedExpression": {"enum": list(shape.MASKS)}, "readers": _members()})
    return _object({"policyTag": TEXT, "description": TEXT, "readers": _members()}, {"masked": listing(mask)})


def _members() -> Json:
    return listing({"type": "string", "pattern": _whole(shape.MEMBER.pattern)})


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> Json:
    properties = {**required, **(optional or {})}
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _described(kind: str, schema: Json) -> Json:
    return {**schema, "description": DESCRIPTIONS[kind]}


def _whole(pattern: str) -> str:
    """A pattern of the whole text, as the loader matches."""
    return f"^(?:{pattern})$"
