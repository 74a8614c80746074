"""Peers: other tools that do the anonymizer's work, each in an environment of its own, one after another."""
