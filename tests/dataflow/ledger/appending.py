"""A process that appends to a ledger, for tests: `python -m tests.dataflow.ledger.appending DIRECTORY WHO COUNT`."""

import sys
from pathlib import Path

from dataflow.ledger import Ledger
from dataflow.objects import LocalObjects

if __name__ == "__main__":
    ledger = Ledger(LocalObjects(Path(sys.argv[1])), "access")
    for number in range(int(sys.argv[3])):
        ledger.append("access.applied", sys.argv[2], {"number": number})
