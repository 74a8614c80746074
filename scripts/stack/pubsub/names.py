"""Resource names: `projects/{project}/{kind}/{id}`, with Google's rules for the id.

Source: https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names
"""

import re

from .refusal import invalid

DELETED_TOPIC = "_deleted-topic_"
"""What a subscription or snapshot names when its topic is gone."""
DELETED_SCHEMA = "_deleted-schema_"
"""What a topic's schema settings name when the schema is gone."""

_ID = r"(?!goog)[A-Za-z][A-Za-z0-9\-_.~+%]{2,254}"
_PROJECT = re.compile(r"projects/[^/]+")
_NAMES = {
    kind: re.compile(rf"projects/[^/]+/{kind}/{_ID}") for kind in ("topics", "subscriptions", "snapshots", "schemas")
}
_REVISION = re.compile(r"[0-9a-f]{8}")


def check(name: str, kind: str) -> str:
    """The name itself, if it is one of `kind` ("topics", "subscriptions", "snapshots", "schemas").

    Raises Refusal INVALID_ARGUMENT: wrong shape, an id under 3 or over 255 characters, a first character that is no
    letter, a character out of Google's set, or the reserved prefix `goog`.
    """
    if not _NAMES[kind].fullmatch(name):
        raise invalid(
            f"Invalid [{kind}] name: (name={name[:300]}). It has to be projects/PROJECT/{kind}/ID where ID starts with "
            "a letter, has 3 to 255 characters out of letters, digits and -_.~+% and does not start with goog."
        )
    return name


def check_project(name: str) -> str:
    """The name itself, if it is `projects/{project}`; raises Refusal INVALID_ARGUMENT otherwise."""
    if not _PROJECT.fullmatch(name):
        raise invalid(f"Invalid project name: (name={name[:300]}). It has to be projects/PROJECT.")
    return name


def project(name: str) -> str:
    """`projects/{project}` of a checked resource name."""
    return "/".join(name.split("/", 2)[:2])


def revision(name: str) -> tuple[str, str]:
    """A schema name and its revision id, or "" where the name has no `@revision`.

    Raises Refusal INVALID_ARGUMENT as `check` does, and for a revision id that is not 8 hexadecimal digits.
    """
    schema, at, revision_id = name.partition("@")
    check(schema, "schemas")
    if at and not _REVISION.fullmatch(revision_id):
        raise invalid(f"Invalid schema revision id: (name={name[:300]}). It has 8 hexadecimal digits.")
    return schema, revision_id
