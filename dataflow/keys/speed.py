"""Nanoseconds of CPU a value of tokens and of deterministic encryption: `python -m dataflow.keys.speed`."""

import hmac
import os
import statistics
import time
import uuid
from collections.abc import Callable

import polars as pl
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from dataflow.keys.deterministic import DeterministicKey
from dataflow.keys.tokens import TokenKey

ROWS = 16_384
ROUNDS = 15


def measure(call: Callable[[], object]) -> float:
    """Median nanoseconds of CPU of one of ROWS values."""
    taken = []
    for _ in range(ROUNDS):
        start = time.process_time_ns()
        call()
        taken.append((time.process_time_ns() - start) / ROWS)
    return statistics.median(taken)


def main() -> None:
    """Print one line a method and kind of value."""
    secret = os.urandom(64)
    siv, encrypt, token = AESSIV(secret), DeterministicKey(secret, 1), TokenKey(secret[:32])
    columns = {
        "user ids, 12 bytes": [f"u_{number * 7919 % 10**10:010d}" for number in range(ROWS)],
        "e-mail addresses, 24 bytes": [f"user.{number:07d}@example.com" for number in range(ROWS)],
        "UUIDs, 36 bytes": [str(uuid.UUID(int=number << 64 | number)) for number in range(ROWS)],
    }
    for title, values in columns.items():
        frame = pl.DataFrame({"value": values})
        figures = {
            "encrypt": measure(lambda frame=frame: frame.select(encrypt.expression(pl.col("value")))),  # type: ignore[misc]
            "token": measure(lambda frame=frame: frame.select(token.expression(pl.col("value")))),  # type: ignore[misc]
            "AESSIV, one a call": measure(lambda values=values: [siv.encrypt(v.encode(), [b""]) for v in values]),  # type: ignore[misc]
            "hmac.digest, one a call": measure(
                lambda values=values: [hmac.digest(secret, v.encode(), "sha256").hex() for v in values]  # type: ignore[misc]
            ),
        }
        print(f"{title}: " + ", ".join(f"{name} {value:.0f} ns" for name, value in figures.items()))  # noqa: T201


if __name__ == "__main__":
    main()
