"""What passes by itself is waited for, with exponential backoff and full jitter; the rest is raised at once.

Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/. Two kinds pass. An *outage*
(no connection, no answer in time, 5xx) is waited for some minutes. A *quota* (429, RESOURCE_EXHAUSTED, 403 with the
reason rateLimitExceeded or quotaExceeded) is waited out, however long: a daily one ends after hours, and pulling slows
meanwhile. Reasons: https://cloud.google.com/bigquery/docs/error-messages.
"""

import enum
import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import grpc
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from requests import exceptions as http
from tenacity import RetryCallState, Retrying, retry_if_exception

from dataflow.errors import NorenError

log = logging.getLogger(__name__)

OUTAGE_SECONDS = 600.0
"""How long an outage is waited for. A pipeline that stops then is started again by whoever runs it, and loses
nothing."""


CALL_SECONDS = 60.0
"""For one call: without a limit the client waits for ever where no answer comes."""

NO_RETRY: Any = None
"""For every call of the client: its own retries are silent, and sleep up to a minute after the outage is over."""

_now = time.monotonic
_sleep = time.sleep


class Passing(enum.Enum):
    """What kind of failure passes by itself."""

    OUTAGE = "outage"
    QUOTA = "quota"


QUOTA_REASONS = frozenset({"rateLimitExceeded", "quotaExceeded", "jobRateLimitExceeded", "userRateLimitExceeded"})
OUTAGE_REASONS = frozenset(
    {"backendError", "internalError", "jobBackendError", "jobInternalError", "badGateway", "stopped", "timeout"}
    | {"tableUnavailable", "resourceInUse"}
)

_OUTAGE_TYPES = (
    api.InternalServerError,  # 500
    api.BadGateway,
    api.ServiceUnavailable,
    api.GatewayTimeout,
    api.RetryError,  # the client's own retries gave up
    http.ConnectionError,
    http.Timeout,
    http.ChunkedEncodingError,  # cut in the middle of an answer
    auth.TransportError,
    ConnectionError,
    TimeoutError,
)

_OUTAGE_CODES = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,  # a server that stops cancels what is under way
    grpc.StatusCode.UNKNOWN,  # cut in the middle of an answer
)


def passing_reason(reason: str) -> Passing | None:
    """Of a job's error reason, e.g. `quotaExceeded`; None when it does not pass."""
    if reason in QUOTA_REASONS:
        return Passing.QUOTA
    return Passing.OUTAGE if reason in OUTAGE_REASONS else None


def passing_code(code: grpc.StatusCode) -> Passing | None:
    """Of a gRPC status; None when it does not pass."""
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return Passing.QUOTA
    return Passing.OUTAGE if code in _OUTAGE_CODES else None


def passing(error: BaseException) -> Passing | None:
    """Of an exception of REST, gRPC or credentials; None when it does not pass."""
    if isinstance(error, NotYet):
        return error.kind
    if isinstance(error, grpc.RpcError):
        if "larger than max" in (error.details() or ""):
            return None  # a request that is too large is RESOURCE_EXHAUSTED too
        return passing_code(error.code())
    if isinstance(error, http.SSLError) or isinstance(error.__cause__, http.SSLError):
        return None  # also where a token was asked for: a certificate does not become right by waiting
    if isinstance(error, api.GoogleAPICallError):
        if error.code == 429:
            return Passing.QUOTA
        found = passing_reason(_reason(error))
        if error.code == 403:
            return found if found is Passing.QUOTA else None
        if isinstance(error, _OUTAGE_TYPES) or found is not None:
            return found or Passing.OUTAGE
        return Passing.OUTAGE if error.code in (408, 502, 503, 504) else None
    if isinstance(error, auth.RefreshError):
        return Passing.OUTAGE if error.retryable else None
    return Passing.OUTAGE if isinstance(error, _OUTAGE_TYPES) else None


class NotYet(Exception):  # noqa: N818  (no error: it is waited for)
    """Raised by what is to be tried again.

    said: what is waited for, in a few words, without a value.
    """

    def __init__(self, kind: Passing, said: str) -> None:
        super().__init__(said)
        self.kind = kind


class Patience:
    """Calls something until it succeeds or fails for good.

    outage: seconds without an answer after which it gives up; a quota is waited out without end.
    """

    def __init__(self, outage: float = OUTAGE_SECONDS) -> None:
        self._outage = outage

    def __call__[T](self, doing: str, call: Callable[[], T]) -> T:
        """What `call` returns.

        doing: what it does, for the log and the error, e.g. `raw__app.app_event: loading group 7`. No values.
        Raises NorenError when an outage lasts too long; anything that does not pass is raised as it is.
        """
        attempt = _Attempt(doing, self._outage)
        retrying = Retrying(
            retry=retry_if_exception(attempt.passes),
            wait=attempt.wait,
            stop=attempt.stop,
            before_sleep=attempt.say,
            retry_error_callback=attempt.give_up,
            sleep=_sleep,
        )
        return retrying(call)


_LONGEST = {Passing.OUTAGE: (0.2, 20.0), Passing.QUOTA: (1.0, 60.0)}
"""(first, last) bound in seconds of a wait, which is drawn from nothing to the bound; it doubles from wait to wait."""


class _Attempt:
    """The state of one patient call: which kind of failure it is in, for how many times, and since when."""

    def __init__(self, doing: str, outage: float) -> None:
        self._doing = doing
        self._patience = outage
        self._kind: Passing | None = None
        self._answered = False  # whether the last failure was found out from an answer
        self._times = 0
        self._since = 0.0

    def passes(self, error: BaseException) -> bool:
        """Called once for each failure, before the others."""
        now, kind = _now(), passing(error)
        if kind is not self._kind:
            self._kind, self._times, self._since = kind, 0, now
        if isinstance(error, NotYet) is not self._answered:
            # whoever was away answers now: the long waits of its absence are over
            self._answered, self._times = not self._answered, 0
        self._times += 1
        return kind is not None

    def stop(self, _: RetryCallState) -> bool:
        return self._kind is Passing.OUTAGE and _now() - self._since >= self._patience

    def wait(self, _: RetryCallState) -> float:
        assert self._kind is not None
        first, last = _LONGEST[self._kind]
        return random.uniform(0.0, min(last, first * 2 ** min(self._times - 1, 20)))  # noqa: S311  (no secret)

    def say(self, state: RetryCallState) -> None:
        log.warning("%s: waiting %.1f s: %s", self._doing, state.upcoming_sleep, described(_failure(state)))

    def give_up(self, state: RetryCallState) -> Any:
        error = _failure(state)
        raise NorenError(
            f"{self._doing}: BigQuery was away for {self._patience:.0f} s ({described(error)}); nothing is lost, what "
            "is staged is written at the next start."
        ) from None


def described(error: BaseException) -> str:
    """An error by its kind and reason alone: BigQuery's own text may quote a row."""
    if isinstance(error, NotYet):
        return str(error)
    if isinstance(error, grpc.RpcError):
        return str(error.code().name)
    if isinstance(error, api.GoogleAPICallError):
        return " ".join(str(part) for part in (error.code, type(error).__name__, _reason(error)) if part)
    return type(error).__name__


def _failure(state: RetryCallState) -> BaseException:
    error = state.outcome.exception() if state.outcome is not None else None
    assert error is not None
    return error


def _reason(error: api.GoogleAPICallError) -> str:
    """BigQuery's reason, e.g. `rateLimitExceeded`; empty when the answer has none."""
    first = next(iter(error.errors or ()), None)
    return str(first.get("reason", "")) if isinstance(first, Mapping) else ""
