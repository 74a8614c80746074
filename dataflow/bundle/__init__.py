"""Bundles: how a policy reaches running pipelines, signed. See README.md for the protocol."""

from dataflow.bundle.bundle import Bundle, Check, Texts
from dataflow.bundle.store import BundleStore
from dataflow.bundle.watch import Watcher

__all__ = ["Bundle", "BundleStore", "Check", "Texts", "Watcher"]
