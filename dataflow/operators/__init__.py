"""Stateful work on tokens and positions, knowing nothing of the driver that runs it."""
