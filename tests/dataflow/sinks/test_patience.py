"""What is waited for, how long, and what is said about it."""

import logging
from functools import partial

import grpc
import pytest
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from requests import exceptions as http

from dataflow.errors import NorenError
from dataflow.sinks import patience
from dataflow.sinks.patience import NotYet, Passing, Patience, passing
from dataflow.sinks.write_service import AnswerError

VALUE = "taro@example.com"


def answer(status: int, reason: str = "") -> Exception:
    """BigQuery's answer over REST; its text quotes a value."""
    return api.from_http_status(status, f"bad {VALUE}", errors=[{"reason": reason, "message": VALUE}])


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


class TooLargeError(AnswerError):
    def details(self) -> str:
        return "CLIENT: Received message larger than max (9 vs. 4)"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (answer(429), Passing.QUOTA),
        (answer(403, "quotaExceeded"), Passing.QUOTA),
        (answer(403, "rateLimitExceeded"), Passing.QUOTA),
        (answer(403, "accessDenied"), None),
        (answer(400, "invalid"), None),
        (answer(404, "notFound"), None),
        (answer(409, "duplicate"), None),
        (answer(412), None),
        (answer(501), None),
        (answer(408), Passing.OUTAGE),
        (answer(500, "internalError"), Passing.OUTAGE),
        (answer(502), Passing.OUTAGE),
        (answer(503, "backendError"), Passing.OUTAGE),
        (answer(504), Passing.OUTAGE),
        (http.ConnectionError(), Passing.OUTAGE),
        (http.ReadTimeout(), Passing.OUTAGE),
        (http.ChunkedEncodingError(), Passing.OUTAGE),
        (http.SSLError(), None),
        (http.InvalidURL(), None),
        (auth.TransportError(), Passing.OUTAGE),
        (_caused(auth.TransportError(), http.SSLError()), None),
        (auth.RefreshError("no such account"), None),
        (auth.RefreshError("busy", retryable=True), Passing.OUTAGE),
        (auth.DefaultCredentialsError(), None),
        (ConnectionRefusedError(), Passing.OUTAGE),
        (AnswerError(grpc.StatusCode.RESOURCE_EXHAUSTED), Passing.QUOTA),
        (TooLargeError(grpc.StatusCode.RESOURCE_EXHAUSTED), None),
        (AnswerError(grpc.StatusCode.UNAVAILABLE), Passing.OUTAGE),
        (AnswerError(grpc.StatusCode.DEADLINE_EXCEEDED), Passing.OUTAGE),
        (AnswerError(grpc.StatusCode.INTERNAL), Passing.OUTAGE),
        (AnswerError(grpc.StatusCode.PERMISSION_DENIED), None),
        (AnswerError(grpc.StatusCode.INVALID_ARGUMENT), None),
        (NotYet(Passing.QUOTA, "x"), Passing.QUOTA),
        (ValueError(), None),
        (NorenError("x"), None),
    ],
    ids=lambda value: f"{type(value).__name__}-{value}"[:40] if isinstance(value, BaseException) else None,
)
def test_what_passes(error: BaseException, kind: Passing | None) -> None:
    assert passing(error) is kind


class Clock:
    """Time as the test says it: a sleep takes what it takes, at once."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(patience, "_now", lambda: clock.now)
    monkeypatch.setattr(patience, "_sleep", clock.sleep)
    return clock


def call(errors: list[BaseException]) -> str:
    """Raises the next of the errors; when there is none left, gives an answer."""
    if errors:
        raise errors.pop(0)
    return "done"


def test_a_quota_is_waited_out_without_end(clock: Clock) -> None:
    errors: list[BaseException] = [answer(403, "quotaExceeded") for _ in range(200)]
    assert Patience(outage=60)("t: loading", lambda: call(errors)) == "done"
    assert clock.now > 1_000


def test_an_outage_is_given_up_with_one_sentence(clock: Clock) -> None:
    with pytest.raises(NorenError) as given_up:
        Patience(outage=60)("t: loading group 7", lambda: call([answer(503, "backendError")] * 1_000))
    assert str(given_up.value) == (
        "t: loading group 7: BigQuery was away for 60 s (503 ServiceUnavailable backendError); "
        "nothing is lost, what is staged is written at the next start."
    )
    assert 60 <= clock.now <= 100


def test_a_quota_in_between_begins_the_outage_anew(clock: Clock) -> None:
    outage: list[BaseException] = [answer(503)] * 6  # at most 12 s
    errors = [*outage, answer(429), *outage, answer(429), *outage]
    assert Patience(outage=20)("t: loading", lambda: call(errors)) == "done"


def test_what_does_not_pass_is_raised_at_once(clock: Clock) -> None:
    with pytest.raises(api.Forbidden):
        Patience()("t: loading", lambda: call([answer(403, "accessDenied")]))
    assert clock.slept == []


def test_waits_grow_exponentially_with_full_jitter(clock: Clock) -> None:
    runs = []
    for _ in range(60):
        clock.slept = []
        errors: list[BaseException] = [answer(503) for _ in range(8)]
        Patience()("t: loading", partial(call, errors))
        runs.append(clock.slept)
    for number, waits in enumerate(zip(*runs, strict=True)):
        limit = min(20.0, 0.2 * 2**number)
        assert max(waits) <= limit
        assert min(waits) < 0.3 * limit  # anywhere between nothing and the limit
        assert max(waits) > 0.7 * limit


def test_after_an_outage_the_first_answer_begins_the_waits_anew(clock: Clock) -> None:
    errors = [*[answer(503)] * 12, NotYet(Passing.OUTAGE, "the write stream is gone")]
    Patience()("t: appending", lambda: call(errors))
    assert clock.slept[12] <= 0.2


def test_the_log_says_what_is_waited_for_and_no_value(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Patience()("t: loading", partial(call, [answer(503, "backendError")]))
    [record] = caplog.records
    assert record.getMessage().startswith("t: loading: waiting 0.")
    assert record.getMessage().endswith(" s: 503 ServiceUnavailable backendError")
    assert VALUE not in caplog.text
