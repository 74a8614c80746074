"""Policy tags: who reads their columns in clear and who through a mask, from policy_tags.json onto the live ones."""

from iam.tags.apply import TagServices, apply_tags, drift_of_tags
from iam.tags.catalog import PolicyTags
from iam.tags.data_policies import DataPolicies
from iam.tags.readers import readers_of_tags

__all__ = ["DataPolicies", "PolicyTags", "TagServices", "apply_tags", "drift_of_tags", "readers_of_tags"]
