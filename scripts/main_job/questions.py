"""Four questions, one a layer, and who may have an answer.

The answers are printed and written to a summary, so no question asks for a raw value, not even an administrator's.
"""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scripts.stack.endpoints import Endpoints

ADMINISTRATOR, ANALYST, BUSINESS, OUTSIDER = "ada@example.com", "ana@example.com", "bo@example.com", "oz@example.com"

PEOPLE = {ADMINISTRATOR: "administrator", ANALYST: "analyst", BUSINESS: "business user", OUTSIDER: "outsider"}


@dataclass(frozen=True)
class Question:
    """sees: who gets an answer when access is as iam/ means it; everybody else gets 403."""

    table: str
    text: str
    sql: str
    sees: frozenset[str]


_ADMINISTRATION = frozenset({ADMINISTRATOR})
_ANALYSIS = _ADMINISTRATION | {ANALYST}
_BUSINESS = _ANALYSIS | {BUSINESS}

QUESTIONS = {
    "app_event": (
        Question(
            "raw__app.app_event",
            "How many people, with which telephones?",
            "SELECT COUNT(DISTINCT user_id) AS people, COUNT(DISTINCT device.device_model) AS models "
            "FROM raw__app.app_event",
            _ADMINISTRATION,
        ),
        Question(
            "anonymized__app.app_event",
            "How many people came, with how many events?",
            "SELECT COUNT(DISTINCT user_id) AS people, COUNT(*) AS events FROM anonymized__app.app_event",
            _ANALYSIS,
        ),
        Question(
            "warehouse__app.sessions",
            "How many sessions are there?",
            "SELECT COUNT(*) AS sessions FROM warehouse__app.sessions",
            _ANALYSIS,
        ),
        Question(
            "marts__product.top_screens",
            "Which screens are seen most?",
            "SELECT page_name, SUM(views) AS views FROM marts__product.top_screens GROUP BY page_name "
            "ORDER BY views DESC LIMIT 2",
            _BUSINESS,
        ),
    ),
    "checkin": (
        Question(
            "raw__places.checkin",
            "How many people, at how many venues?",
            "SELECT COUNT(DISTINCT user_id) AS people, COUNT(DISTINCT venue.venue_id) AS venues "
            "FROM raw__places.checkin",
            _ADMINISTRATION,
        ),
        Question(
            "anonymized__places.checkin",
            "How many people checked in, how often?",
            "SELECT COUNT(DISTINCT user_id) AS people, COUNT(*) AS checkins FROM anonymized__places.checkin",
            _ANALYSIS,
        ),
        Question(
            "warehouse__places.checkins",
            "At which hour do people check in most?",
            "SELECT local_hour, COUNT(*) AS checkins FROM warehouse__places.checkins GROUP BY local_hour "
            "ORDER BY checkins DESC, local_hour LIMIT 1",
            _ANALYSIS,
        ),
        Question(
            "marts__places.checkins_by_area_hour",
            "Where do they check in most?",
            "SELECT area_id, SUM(checkins) AS checkins FROM marts__places.checkins_by_area_hour GROUP BY area_id "
            "ORDER BY checkins DESC, area_id LIMIT 2",
            _BUSINESS,
        ),
    ),
}
"""stream -> the questions, from raw to marts"""


@dataclass(frozen=True)
class Answer:
    """What one person got: rows, or the error. expected: whether that is what iam/ means."""

    member: str
    question: str
    table: str
    sql: str
    expected: bool
    rows: list[dict[str, Any]] | None = None
    error: str | None = None
    forbidden: bool = field(default=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """As the summary has it: `rows` or `error`, not both."""
        kept = ("member", "question", "table", "sql", "rows" if self.error is None else "error")
        return {name: value for name, value in asdict(self).items() if name in kept}


def ask_everybody(stack: "Endpoints", stream: str) -> list[Answer]:
    """Every question, asked by each person through the gateway with the ordinary client."""
    from google.api_core.exceptions import Forbidden, GoogleAPICallError

    from scripts.stack.callers import caller_client

    clients = {person: caller_client(stack, person) for person in PEOPLE}
    answers = []
    for question in QUESTIONS[stream]:
        for person, client in clients.items():
            may = person in question.sees
            common = (person, question.text, question.table, question.sql)
            try:
                rows = [dict(row) for row in client.query_and_wait(question.sql)]
            except Forbidden as error:
                answers.append(Answer(*common, expected=not may, error=f"403 {_sentence(error)}", forbidden=True))
            except GoogleAPICallError as error:
                answers.append(Answer(*common, expected=False, error=f"{error.code} {_sentence(error)}"))
            else:
                answers.append(Answer(*common, expected=may and bool(rows), rows=rows))
    return answers


def _sentence(error: Any) -> str:
    """BigQuery's own message, without the request that the client puts around it."""
    sent: list[dict[str, Any]] = error.errors or [{}]
    return str(sent[0].get("message") or error.message)
