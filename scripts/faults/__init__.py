"""Servers between a client and a real server that fail as they are told."""
