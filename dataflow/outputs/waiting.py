"""What is said of a try that failed and is made again."""

import logging
from collections.abc import Callable

from tenacity import RetryCallState

from dataflow.sinks.patience import described


def waiting(log: logging.Logger) -> Callable[[RetryCallState], None]:
    """For tenacity's `before_sleep`: the kind of error and the pause, never the error's text, which may quote a row."""

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        pause = state.next_action.sleep if state.next_action is not None else 0.0
        log.warning("%s; again in %.1f s", described(error) if error is not None else "failed", pause)

    return say
