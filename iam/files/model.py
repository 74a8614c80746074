"""What the files of `iam/` say, as one value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from iam.entries import Entry
from iam.groups import Groups
from iam.layers import Layers
from iam.positions import Place


@dataclass(frozen=True)
class Principal:
    """A service identity: its e-mail, what it is for, and whether it is in use yet (else the slot is reserved)."""

    email: str
    purpose: str
    active: bool
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True)
class RowPolicy:
    """A row access policy of a table: who sees the rows for which the predicate is true.

    grantees: IAM members, e.g. `group:analysts@example.com`, lower-case; `allAuthenticatedUsers`.
    https://cloud.google.com/bigquery/docs/reference/rest/v2/rowAccessPolicies
    """

    dataset: str
    table: str
    policy: str
    predicate: str
    grantees: tuple[str, ...]
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True)
class PolicyTag:
    """Who reads columns that carry a policy tag.

    name: its display name in the taxonomy. readers: IAM members that see values. masked: member -> the masking
    expression that it sees values through, e.g. `SHA256`. Everybody else is refused.
    https://cloud.google.com/bigquery/docs/column-data-masking-intro
    """

    name: str
    description: str
    readers: tuple[str, ...]
    masked: Mapping[str, str] = field(default_factory=dict)
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Imported:
    """What `noren acl import` found beside the datasets' own lists: without it no answer is proved.

    at: when it was read. complete: whether the grants of every folder and organization above the project were readable
    too. inherited: grants on the project and above it. tables: (dataset, table) -> grants on the single table.
    """

    at: datetime
    complete: bool
    inherited: tuple[Entry, ...] = ()
    tables: Mapping[tuple[str, str], tuple[Entry, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class AccessFiles:
    """What the files of `iam/` say, with `${project}` substituted.

    datasets: dataset id -> its grants, from datasets/<dataset>.json.
    authorized: source dataset id -> the views, datasets and routines that may read it, from authorized_views/.
    project_grants: grants on the whole project, from project.json; applied by Terraform, inherited by every dataset.
    row_policies: from row_access_policies/<dataset>.json.
    row_files: datasets with such a file. policy_tags: display name -> readers, from policy_tags.json.
    imported: from imported.json; None where project IAM was never imported.
    """

    project: str
    datasets: Mapping[str, tuple[Entry, ...]]
    authorized: Mapping[str, tuple[Entry, ...]]
    groups: Groups
    principals: tuple[Principal, ...]
    layers: Layers
    project_grants: tuple[Entry, ...] = ()
    row_policies: tuple[RowPolicy, ...] = ()
    row_files: frozenset[str] = frozenset()
    policy_tags: Mapping[str, PolicyTag] = field(default_factory=dict)
    imported: Imported | None = None
