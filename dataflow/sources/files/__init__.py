"""Files as a source: JSON lines, CSV and Parquet, plain or compressed, one or a directory of them."""

from dataflow.sources.files.find import FileFormat, Found, find
from dataflow.sources.files.source import FileSource

__all__ = ["FileFormat", "FileSource", "Found", "find"]
