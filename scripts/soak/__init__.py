"""Faults on purpose, round after round, and whether everything still adds up. See README.md."""
