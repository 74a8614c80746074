"""Column lineage: every column of a view traced to the contract fields that it comes from, and the proof over it."""
