"""Dead letters: in clear stands only what is allowed to; the message itself opens with the key alone."""

import datetime
import json
from pathlib import Path

import pytest

from dataflow.contract import Contract
from dataflow.core import Reason, Reject
from dataflow.dead_letters import DeadLetter, dead_letter_rows, open_dead_letter
from dataflow.errors import NorenError
from dataflow.keys import KeyRing, Sealer
from dataflow.policy import Policy
from dataflow.schemas import dead_letter_table
from tests.dataflow.cases import RECEIVED, encoded

SECRET = "ana@example.com"
ATTRIBUTES = {"app_version": "3.2", "event_type": "page_view", "user_email": SECRET}
PAYLOAD = encoded(1, user_id=SECRET, session_id=5, **{SECRET: 1})


def letter(payload: bytes = PAYLOAD, position: str = "store/7") -> DeadLetter:
    reject = Reject(0, Reason.WRONG_TYPE, "session_id", "must be str, is int")
    return DeadLetter(reject, payload, ATTRIBUTES, "7", position, RECEIVED)


@pytest.fixture(scope="module")
def sealer(keys: KeyRing) -> Sealer:
    return keys.sealer("dead_letter")


@pytest.fixture(scope="module")
def row(app_event: Contract, policy: Policy, sealer: Sealer) -> dict[str, object]:
    (row,) = dead_letter_rows([letter()], app_event, policy, sealer).to_dicts()
    return row


def test_a_row_says_why_where_and_when(row: dict[str, object]) -> None:
    assert {name: value for name, value in row.items() if name not in ("sealed", "dead_token", "payload_redacted")} == {
        "stream": "app_event",
        "reason": "wrong_type",
        "field": "session_id",
        "message": "must be str, is int",
        "contract_version": "1.0.0",
        "policy_version": "1.0.0",
        "receive_time": datetime.datetime(2026, 1, 15, 10, tzinfo=datetime.UTC),
        "message_id": "7",
        "payload_bytes": len(PAYLOAD),
        "attributes": [{"name": "app_version", "value": "3.2"}, {"name": "event_type", "value": "page_view"}],
    }


def test_the_payloads_shape_has_declared_names_and_types_only(row: dict[str, object]) -> None:
    assert json.loads(str(row["payload_redacted"])) == {
        "event_id": "string",
        "event_type": "string",
        "timestamp": "string",
        "user_id": "string",
        "session_id": "integer",
        "device": dict.fromkeys(("type", "os_version", "app_version", "device_model"), "string"),
        "location": dict.fromkeys(("latitude", "longitude", "accuracy"), "number"),
        "properties": dict.fromkeys(("page_name", "button_id"), "string"),
        "<undeclared>": 1,
    }


def test_no_value_stands_in_clear(row: dict[str, object]) -> None:
    assert [value for value in (SECRET, "35.68", "iPhone") if value in repr(row)] == []


def test_with_the_key_data_and_all_attributes_come_back(row: dict[str, object], sealer: Sealer) -> None:
    assert open_dead_letter(bytes(row["sealed"]), str(row["dead_token"]), sealer) == (PAYLOAD, ATTRIBUTES)  # type: ignore[arg-type]


def test_another_key_or_the_token_of_another_letter_does_not_open_it(
    row: dict[str, object], sealer: Sealer, keys: KeyRing, tmp_path: Path
) -> None:
    sealed, token = bytes(row["sealed"]), str(row["dead_token"])  # type: ignore[arg-type]
    for other in (keys.sealer("journal"), KeyRing.local(tmp_path).sealer("dead_letter")):
        with pytest.raises(NorenError, match="cannot be opened with this key ring"):
            open_dead_letter(sealed, token, other)
    with pytest.raises(NorenError, match="cannot be opened with this key ring"):
        open_dead_letter(sealed, "0" * 32, sealer)


def test_the_token_names_the_position_and_tells_nothing_of_the_payload(
    app_event: Contract, policy: Policy, sealer: Sealer
) -> None:
    letters = [letter(), letter(b"{}"), letter(position="store/8")]
    tokens = dead_letter_rows(letters, app_event, policy, sealer)["dead_token"].to_list()
    assert tokens[0] == tokens[1] != tokens[2]


def test_rows_have_the_tables_schema_also_when_there_are_none(
    app_event: Contract, policy: Policy, sealer: Sealer
) -> None:
    wanted = {name: kind for name, kind in dead_letter_table().polars().items() if name != "batch_id"}
    for letters in ([], [letter()]):
        assert dict(dead_letter_rows(letters, app_event, policy, sealer).schema) == wanted
