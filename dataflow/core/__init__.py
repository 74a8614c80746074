"""The anonymizer core, pure: a batch of message bytes in, columnar rows and rejects out. No Beam, no Google import."""

from dataflow.core.anonymizer import Anonymizer, Outcome
from dataflow.core.batch import Batch
from dataflow.core.formats import Definition, Schemas, SchemasAwayError, Unpacked
from dataflow.core.rejects import Reason, Reject

__all__ = [
    "Anonymizer",
    "Batch",
    "Definition",
    "Outcome",
    "Reason",
    "Reject",
    "Schemas",
    "SchemasAwayError",
    "Unpacked",
]
