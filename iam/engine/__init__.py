"""The one access engine: may this caller do this, and why? Pure: no network, no google import.

decision = decide(world, "ana@example.com", Action.QUERY, TableName("p", "marts__product", "daily_active_users"))
"""

from iam.engine.decide import MAX_HOPS, Access, Decision, RowFilter, decide
from iam.engine.holders import Reason
from iam.engine.names import DatasetName, TableName
from iam.engine.rights import Action, Right
from iam.engine.world import Certainty, Dataset, Grant, Kind, PolicyTag, RowPolicy, Table, World, world
from iam.places import Place

__all__ = [
    "MAX_HOPS",
    "Access",
    "Action",
    "Certainty",
    "Dataset",
    "DatasetName",
    "Decision",
    "Grant",
    "Kind",
    "Place",
    "PolicyTag",
    "Reason",
    "Right",
    "RowFilter",
    "RowPolicy",
    "Table",
    "TableName",
    "World",
    "decide",
    "world",
]
