"""The compiled lane: plain events read by machine code made on the spot, everything else left to the typed decoder."""

from dataflow.core.plain.lane import Lane, Plain

__all__ = ["Lane", "Plain"]
