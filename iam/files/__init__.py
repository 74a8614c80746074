"""The reviewed files of `iam/`: `load(project)` gives what they say, or raises with the first thing that is wrong."""

from iam.files.model import AccessFiles, Imported, PolicyTag, Principal, RowPolicy
from iam.files.read import load, load_groups, load_principals, load_project_grants, read, read_entries
from iam.files.shape import DATASET_ID, EMAIL, Fault, Sort

__all__ = [
    "DATASET_ID",
    "EMAIL",
    "AccessFiles",
    "Fault",
    "Imported",
    "PolicyTag",
    "Principal",
    "RowPolicy",
    "Sort",
    "load",
    "load_groups",
    "load_principals",
    "load_project_grants",
    "read",
    "read_entries",
]
