"""Eras: how the rows of an old log, whose schema changed over the years, become events of today's contract."""

from dataflow.sources.eras.mapping import Mapped, Mapping
from dataflow.sources.eras.read import load_mapping

__all__ = ["Mapped", "Mapping", "load_mapping"]
