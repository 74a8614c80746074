"""Benchmarks: how fast the house is, beside loops and tools that do the same work in the same run."""
