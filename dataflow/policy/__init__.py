"""Policy: what is *done* with each classification or single field. Deny by default. See README.md."""

from dataflow.policy.check import check_policy, check_stream
from dataflow.policy.findings import Finding, PolicyError
from dataflow.policy.model import Derived, Policy, StreamPolicy
from dataflow.policy.read import load_policy, read_policy

__all__ = [
    "Derived",
    "Finding",
    "Policy",
    "PolicyError",
    "StreamPolicy",
    "check_policy",
    "check_stream",
    "load_policy",
    "read_policy",
]
