"""Errors that carry no key.

A traceback shows the local variables of its frames to whoever collects them (a crash reporter, `pytest -l`), and while
a keyset is wrapped or opened some frame of Tink, of gRPC or of this package holds it in clear. So whatever handles key
material runs under `guarded`: a failure leaves as a new error with the sentence alone, without the frames it came
from.
"""

from collections.abc import Callable

from tink import TinkError

from dataflow.errors import NorenError


def guarded[T](call: Callable[[], T], otherwise: str = "A keyset does not open.") -> T:
    """What `call` gives.

    Raises NorenError, with no cause and no inner frames: its own sentence, or `otherwise` for Tink's errors.
    """
    try:
        return call()
    except NorenError as error:
        failure = str(error)
    except (TinkError, ValueError) as error:  # ValueError: a DecodeError of Protocol Buffers among them
        failure = otherwise
        del error
    raise NorenError(failure)
