"""Contracts compared with what they were. See README.md."""

from dataflow.evolution.base import contracts_at
from dataflow.evolution.changes import Change, Level
from dataflow.evolution.compare import Comparison, compare

__all__ = ["Change", "Comparison", "Level", "compare", "contracts_at"]
