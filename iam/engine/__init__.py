"""The one access engine: may this caller do this, and why? Pure: no network, no google import.

decision = decide(world, "ana@example.com", Action.QUERY, TableName("p", "marts__product", "daily_active_users"))
"""

from iam.engine.decide import MAX_HOPS, Access, Decision, RowFilter, decide
from iam.engine.from_dbt import from_dbt
from iam.engine.from_files import from_files
from iam.engine.holders import Reason
from iam.engine.names import DatasetName, TableName
from iam.engine.rights import Action, Right
from iam.engine.world import Certainty, Dataset, Kind, PolicyTag, RowPolicy, Table, World, world

__all__ = [
    "MAX_HOPS",
    "Access",
    "Action",
    "Certainty",
    "Dataset",
    "DatasetName",
    "Decision",
    "Kind",
    "PolicyTag",
    "Reason",
    "Right",
    "RowFilter",
    "RowPolicy",
    "Table",
    "TableName",
    "World",
    "decide",
    "from_dbt",
    "from_files",
    "world",
]
