"""Sealing: authenticated encryption of what may only be read with a key of its own (journal, dead letters).

A sealing keyset rotates by another key that becomes its primary; the old ones stay and open what they sealed. A process
that runs takes a rotated keyset within `REFRESH` seconds, and at once when it meets something that a key it does not
have sealed: so a rotation needs no pause and no order of restarts.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

from tink import TinkError

from dataflow.errors import NorenError

REFRESH = 60.0
"""Seconds after which a process that seals looks for a rotated keyset."""

log = logging.getLogger(__name__)


class Rotating:
    """A Tink AEAD that is loaded anew when its keyset was rotated.

    load: (generation that is known, 0 for none) -> (generation, AEAD), or None when there is no newer one.
    clock: seconds, monotonic.
    """

    __slots__ = ("__aead", "_checked", "_clock", "_generation", "_load", "_lock")

    def __init__(
        self, load: Callable[[int], tuple[int, Any] | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._load = load
        self._clock = clock
        self._lock = threading.Lock()
        self._generation = 0
        self.__aead: Any = None
        self.refresh()

    def current(self) -> Any:
        """The AEAD; of a keyset that was looked for within the last REFRESH seconds.

        When it cannot be loaded again the old one goes on and a warning is logged: it has not become wrong.
        """
        if self._clock() - self._checked >= REFRESH:
            try:
                self.refresh()
            except NorenError as error:
                log.warning("A keyset could not be loaded again and is used as it was: %s", error)
        return self.__aead

    def refresh(self) -> bool:
        """Load the keyset if there is a newer one; whether there was. Raises NorenError when it does not open."""
        with self._lock:
            self._checked = self._clock()
            found = self._load(self._generation)
            if found is None:
                return False
            self._generation, self.__aead = found
            return True

    def __repr__(self) -> str:
        return "Rotating(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is never pickled: open the key ring in the process that needs it")


class Sealer:
    """AES-256-GCM under one purpose's keyset (a Tink AEAD). The context is authenticated, not stored."""

    __slots__ = ("_keyset", "purpose")

    def __init__(self, keyset: Rotating, purpose: str) -> None:
        self._keyset = keyset
        self.purpose = purpose

    def seal(self, data: bytes, context: bytes = b"") -> bytes:
        """Ciphertext of `data`: 33 bytes longer (5 of Tink's prefix, 12 of nonce, 16 of tag)."""
        sealed: bytes = self._keyset.current().encrypt(data, context)
        return sealed

    def open(self, sealed: bytes, context: bytes = b"") -> bytes:
        """The data again. Raises NorenError when the key, the context or the bytes are not those it was sealed with."""
        try:
            data: bytes = self._keyset.current().decrypt(sealed, context)
        except TinkError as error:
            if self._keyset.refresh():  # sealed under a key that came since
                return self.open(sealed, context)
            raise NorenError(f"What was sealed for {self.purpose} cannot be opened with this key ring.") from error
        return data

    def __repr__(self) -> str:
        return f"Sealer({self.purpose})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is never pickled: open the key ring in the process that needs it")
