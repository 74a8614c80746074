"""Keys: tokens stand for themselves, other names for their digest."""

import hashlib

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataflow.operators.keys import keys_of, numbered, packed, words, words_of

TOKENS = st.text("0123456789abcdef", min_size=32, max_size=32)
NEARLY = st.text("0123456789abcdefgABCDEF", min_size=31, max_size=33)


def plain(name: str) -> bytes:
    if len(name) == 32 and all(digit in "0123456789abcdef" for digit in name):
        return bytes.fromhex(name)
    return hashlib.sha256(name.encode()).digest()[:16]


@settings(deadline=None)
@given(st.lists(TOKENS | NEARLY | st.text(max_size=70), max_size=40))
@example(["0" * 32, "f" * 31 + "g", "F" * 32])
def test_a_key_is_the_token_itself_or_half_a_digest(names: list[str]) -> None:
    assert keys_of(names) == b"".join(plain(name) for name in names)


def test_words_and_bytes_are_the_same_keys() -> None:
    keys = words_of(["a", "0123456789abcdef" * 2])
    assert words(packed(keys)).tolist() == keys.tolist()
    assert keys[1].tolist() == [0x0123456789ABCDEF] * 2


def test_every_part_of_a_message_has_a_key_of_its_own_and_the_first_the_message_s() -> None:
    keys = numbered(words_of(["store/1"] * 1000), np.arange(1000))
    assert keys[0].tolist() == words_of(["store/1"])[0].tolist()
    assert len({tuple(key) for key in keys.tolist()}) == 1000
    assert len(set((keys[:, 1] >> np.uint64(54)).tolist())) > 600  # spread over the places of a table too
