"""Nanoseconds of CPU a value of tokens and of deterministic encryption: `python -m dataflow.keys.speed`."""

import hmac
import os
import statistics
import time
import uuid
from collections.abc import Callable
from functools import partial

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


def _each(call: Callable[[str], object], values: list[str]) -> list[object]:
    return [call(value) for value in values]


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
            "encrypt": measure(partial(frame.select, encrypt.expression(pl.col("value")))),
            "token": measure(partial(frame.select, token.expression(pl.col("value")))),
            "AESSIV, one a call": measure(partial(_each, lambda text: siv.encrypt(text.encode(), [b""]), values)),
            "hmac.digest, one a call": measure(
                partial(_each, lambda text: hmac.digest(secret, text.encode(), "sha256").hex(), values)
            ),
        }
        print(f"{title}: " + ", ".join(f"{name} {value:.0f} ns" for name, value in figures.items()))  # noqa: T201


if __name__ == "__main__":
    main()
