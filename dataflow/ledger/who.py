"""Who a command acts for, as a ledger has it."""

import getpass
import os

ACTOR = "NOREN_ACTOR"


def user() -> str:
    """`NOREN_ACTOR` where it is set (CI sets it to who started the run), else the operating system's user.

    It is what the process says of itself, not a proof: in the cloud the audit log of the service account says who.
    """
    return os.environ.get(ACTOR) or f"user:{getpass.getuser()}"
