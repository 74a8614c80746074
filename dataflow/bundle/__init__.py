"""Bundles: how a policy reaches running pipelines, signed. See README.md for the protocol."""

from dataflow.bundle.bundle import Bundle, Check, Texts
from dataflow.bundle.store import BundleStore, open_objects
from dataflow.bundle.watch import Watcher

__all__ = ["Bundle", "BundleStore", "Check", "Texts", "Watcher", "open_objects"]
