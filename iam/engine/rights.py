"""Roles and what they allow.

https://cloud.google.com/bigquery/docs/access-control
"""

from enum import Enum


class Right(Enum):
    """What a role allows, as coarse as dataset roles are."""

    METADATA = "see the dataset, its tables and their schemas"
    READ = "read rows"
    WRITE = "create, change and delete tables and rows"
    OWN = "change the dataset and who has access to it"
    RUN_JOBS = "run jobs in the project"
    CREATE_DATASETS = "create datasets in the project"
    READ_SESSIONS = "read through the Storage API"


PROJECT_RIGHTS = frozenset({Right.RUN_JOBS, Right.CREATE_DATASETS, Right.READ_SESSIONS})
"""Rights that count on the project only."""

_VIEWER = frozenset({Right.METADATA, Right.READ})
_EDITOR = _VIEWER | {Right.WRITE}
_OWNER = _EDITOR | {Right.OWN}

RIGHTS: dict[str, frozenset[Right]] = {
    "roles/bigquery.metadataViewer": frozenset({Right.METADATA}),
    "roles/bigquery.dataViewer": _VIEWER,
    "roles/bigquery.dataEditor": _EDITOR | {Right.CREATE_DATASETS},
    "roles/bigquery.dataOwner": _OWNER | {Right.CREATE_DATASETS},
    "roles/bigquery.jobUser": frozenset({Right.RUN_JOBS}),
    "roles/bigquery.readSessionUser": frozenset({Right.READ_SESSIONS}),
    "roles/bigquery.user": PROJECT_RIGHTS,
    "roles/bigquery.studioUser": frozenset({Right.RUN_JOBS, Right.READ_SESSIONS}),
    "roles/bigquery.studioAdmin": frozenset(Right),
    "roles/bigquery.admin": frozenset(Right),
    "roles/viewer": frozenset({Right.RUN_JOBS}),
    "roles/editor": frozenset({Right.RUN_JOBS, Right.CREATE_DATASETS}),
    "roles/owner": frozenset({Right.RUN_JOBS, Right.CREATE_DATASETS}),
}
"""role -> rights. A role that is not listed grants nothing here, and an answer that met one is not proved. The basic
roles of a project reach a dataset through its special groups alone."""

SPECIAL_GROUPS = {"projectOwners": "roles/owner", "projectWriters": "roles/editor", "projectReaders": "roles/viewer"}
"""special group -> the basic role on the project whose holders are in it"""

WITHOUT_DATA = ("roles/datacatalog.", "roles/bigquerydatapolicy.", "roles/logging.", "roles/monitoring.")
"""Prefixes of roles that are known to allow nothing on a dataset by themselves."""

FINE_GRAINED_READER = "roles/datacatalog.categoryFineGrainedReader"
"""On a policy tag: its columns in clear. https://cloud.google.com/bigquery/docs/column-level-security-intro"""
MASKED_READER = "roles/bigquerydatapolicy.maskedReader"
"""On a data policy of a policy tag: its columns masked. https://cloud.google.com/bigquery/docs/column-data-masking-intro"""


class Action(Enum):
    """What a caller does. The value is the API's name of it."""

    QUERY = "jobs.query"
    LIST_ROWS = "tabledata.list"
    COPY = "jobs.insert (copy)"
    STORAGE_READ = "readSessions.create"
    METADATA = "tables.get"
    WRITE = "tables.update"
    CHANGE_ROWS = "jobs.insert (DML)"
    OWN = "datasets.update"
    RUN_JOBS = "jobs.insert"
    CREATE_DATASETS = "datasets.insert"


PERMISSIONS = {
    Action.QUERY: "bigquery.tables.getData",
    Action.LIST_ROWS: "bigquery.tables.getData",
    Action.COPY: "bigquery.tables.getData",
    Action.STORAGE_READ: "bigquery.tables.getData",
    Action.METADATA: "bigquery.tables.get",
    Action.WRITE: "bigquery.tables.updateData",
    Action.CHANGE_ROWS: "bigquery.tables.updateData",
    Action.OWN: "bigquery.datasets.update",
    Action.RUN_JOBS: "bigquery.jobs.create",
    Action.CREATE_DATASETS: "bigquery.datasets.create",
}
"""action -> the IAM permission that a message names"""

NEEDS = {
    Action.QUERY: Right.READ,
    Action.LIST_ROWS: Right.READ,
    Action.COPY: Right.READ,
    Action.STORAGE_READ: Right.READ,
    Action.METADATA: Right.METADATA,
    Action.WRITE: Right.WRITE,
    Action.CHANGE_ROWS: Right.WRITE,
    Action.OWN: Right.OWN,
    Action.RUN_JOBS: Right.RUN_JOBS,
    Action.CREATE_DATASETS: Right.CREATE_DATASETS,
}
"""action -> the right that it takes"""
