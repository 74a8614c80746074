"""The journal: the truth about what was accepted, staged before it is committed. See README.md for the protocol."""

from dataflow.journal.entry import Entry
from dataflow.journal.journal import Group, Journal, Taken

__all__ = ["Entry", "Group", "Journal", "Taken"]
