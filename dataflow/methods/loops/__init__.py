"""Compiled inner loops of methods. Imported when a method first runs: numba takes half a second to import."""
