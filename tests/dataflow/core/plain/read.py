"""Bytes as the compiled loops get them."""

import numpy as np

from dataflow.compiled.simd import PADDING
from dataflow.compiled.views import Numbers


def padded(text: bytes) -> Numbers:
    """With zeros behind the text, at which everything ends."""
    return np.frombuffer(text + bytes(PADDING), np.uint8)
