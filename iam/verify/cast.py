"""Who plays the cases in a real project: a file that names a service account for each person, and groups and tags.

    people: {ana: noren-ana@acme-test.iam.gserviceaccount.com, bo: noren-bo@acme-test.iam.gserviceaccount.com}
    groups: {analysts: noren-analysts@acme.com}      # with ana's service account as its member
    policy_tags: {location: projects/acme-test/locations/eu/taxonomies/1/policyTags/2}
    roles: false                                     # true: the project's IAM gives what `cast` in cases.yaml says

Who runs it needs roles/iam.serviceAccountTokenCreator on each, and each needs roles/bigquery.jobUser on the project
(but for eve, whom it must lack).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dataflow.errors import NorenError
from dataflow.yaml_file import read_yaml

if TYPE_CHECKING:
    from google.cloud import bigquery

KEYS = ("people", "groups", "policy_tags", "roles")
SCOPES = ("https://www.googleapis.com/auth/bigquery",)
LIFETIME = 900
"""Seconds that an impersonated token lives."""


@dataclass(frozen=True)
class Cast:
    """names: address of the cases, lower-case -> the real one. policy_tags: name -> resource name. roles: whether the
    project's IAM gives what the cases' cast says."""

    names: Mapping[str, str] = field(default_factory=dict)
    policy_tags: Mapping[str, str] = field(default_factory=dict)
    roles: bool = False


def read_cast(path: Path) -> Cast:
    """Raises NorenError when the file is wrong."""
    content = read_yaml(path, path.name)
    if not isinstance(content, dict) or not content.get("people"):
        raise NorenError(f"{path.name}: must say at least people: {{ana: SERVICE ACCOUNT}}.")
    if unknown := sorted(map(str, content.keys() - set(KEYS))):
        raise NorenError(f"{path.name}: unknown key {unknown[0]!r}: known are {', '.join(KEYS)}.")
    names: dict[str, str] = {}
    for part in ("people", "groups"):
        given = content.get(part) or {}
        if not isinstance(given, dict) or not all(isinstance(email, str) and "@" in email for email in given.values()):
            raise NorenError(f"{path.name}: {part} must give an e-mail address for each name.")
        for name, email in given.items():
            names[str(name) if "@" in str(name) else f"{name}@example.com"] = email.lower()
    return Cast(names, dict(content.get("policy_tags") or {}), bool(content.get("roles", False)))


def impersonated(project: str, email: str) -> "bigquery.Client":
    """A client that asks as a service account, with a token of a quarter of an hour.

    Raises google.auth.exceptions.DefaultCredentialsError without application default credentials.
    """
    import google.auth
    from google.auth import impersonated_credentials
    from google.cloud import bigquery

    source, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    credentials = impersonated_credentials.Credentials(
        source_credentials=source, target_principal=email, target_scopes=list(SCOPES), lifetime=LIFETIME
    )
    return bigquery.Client(project=project, credentials=credentials)
