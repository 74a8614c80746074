"""Formats: how messages carry events. Each becomes JSON here, so that one decoder gives one set of reasons."""

from dataflow.core.formats.schemas import Definition, Schemas, SchemasAwayError
from dataflow.core.formats.unpack import Unpacked, Unpacker

__all__ = ["Definition", "Schemas", "SchemasAwayError", "Unpacked", "Unpacker"]
