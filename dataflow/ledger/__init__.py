"""The ledger: who did what, append-only and hash-chained. See README.md for what it proves and what it does not."""

from dataflow.ledger.chain import Line
from dataflow.ledger.ledger import Ledger
from dataflow.ledger.mirror import mirror, mirrored
from dataflow.ledger.verify import Damage
from dataflow.ledger.who import user

__all__ = ["Damage", "Ledger", "Line", "mirror", "mirrored", "user"]
