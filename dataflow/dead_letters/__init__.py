"""Dead letters: what could not be accepted, redacted, sealed and replayable. See README.md for how they count."""

from dataflow.dead_letters.envelope import PURPOSE, DeadLetter, dead_letter_rows, dead_token, open_dead_letter
from dataflow.dead_letters.given_up import GivenUp

__all__ = ["PURPOSE", "DeadLetter", "GivenUp", "dead_letter_rows", "dead_token", "open_dead_letter"]
