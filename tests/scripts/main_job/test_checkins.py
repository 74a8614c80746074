"""Real check-ins as events: stable ids, and a file of another shape is one sentence with the line."""

import json
import uuid
from pathlib import Path

import pytest

from dataflow.errors import NorenError
from scripts.main_job.checkins import COLUMNS, checkins

HEADER = ",".join(COLUMNS)
LINE = "1541,4f0f,4bf5,Ramen / Noodle House,35.70510109,139.61959,540,Tue Apr 03 18:17:18 +0000 2012"


def written(directory: Path, *lines: str, name: str = "tokyo.csv") -> Path:
    path = directory / name
    path.write_bytes("\n".join(lines).encode())
    return path


def refusal(path: Path) -> str:
    with pytest.raises(NorenError) as refused:
        checkins(path)
    return str(refused.value)


def test_a_line_is_one_event(tmp_path: Path) -> None:
    (event,) = [json.loads(payload) for payload in checkins(written(tmp_path, HEADER, LINE))]
    assert event == {
        "event_id": str(uuid.uuid5(uuid.NAMESPACE_URL, "tokyo.csv:2")),
        "timestamp": "2012-04-03T18:17:18Z",
        "user_id": "checkin-user-1541",
        "timezone_offset": 540,
        "venue": {
            "venue_id": "4f0f",
            "category_id": "4bf5",
            "category": "Ramen / Noodle House",
            "latitude": 35.70510109,
            "longitude": 139.61959,
        },
    }


def test_equal_lines_are_events_of_their_own(tmp_path: Path) -> None:
    events = [json.loads(payload) for payload in checkins(written(tmp_path, HEADER, LINE, LINE))]
    assert [event.pop("event_id") for event in events] == [
        str(uuid.uuid5(uuid.NAMESPACE_URL, f"tokyo.csv:{line}")) for line in (2, 3)
    ]
    assert events[0] == events[1]


def test_ids_are_made_of_name_and_line_alone(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    one = written(tmp_path, HEADER, LINE)
    other = written(tmp_path / "elsewhere", HEADER, LINE)
    assert checkins(one) == checkins(other)
    assert checkins(one) != checkins(written(tmp_path, HEADER, LINE, name="osaka.csv"))


def test_columns_may_come_in_another_order_and_with_others(tmp_path: Path) -> None:
    header, line = f"note,{','.join(reversed(COLUMNS))}", ",".join(["x", *reversed(LINE.split(","))])
    assert checkins(written(tmp_path, header, line)) == checkins(written(tmp_path, HEADER, LINE))


def test_other_time_zones_are_brought_to_utc(tmp_path: Path) -> None:
    (payload,) = checkins(written(tmp_path, HEADER, LINE.replace("+0000", "+0900")))
    assert json.loads(payload)["timestamp"] == "2012-04-03T09:17:18Z"


def test_a_category_may_have_any_character(tmp_path: Path) -> None:
    line = LINE.replace("Ramen / Noodle House", '"Ramen, ""ラーメン""\u2028House"')
    events = checkins(written(tmp_path, HEADER, line, LINE))
    assert json.loads(events[0])["venue"]["category"] == 'Ramen, "ラーメン"\u2028House'
    assert json.loads(events[1])["event_id"] == str(uuid.uuid5(uuid.NAMESPACE_URL, "tokyo.csv:3"))


def test_a_file_without_lines_has_no_events(tmp_path: Path) -> None:
    assert checkins(written(tmp_path, HEADER)) == []


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, "userId,venueId,when", "1,2,3")
    assert refusal(path) == (
        "tokyo.csv, line 1: the columns venueCategoryId, venueCategory, latitude, longitude, timezoneOffset, "
        "utcTimestamp are missing."
    )
    assert refusal(written(tmp_path, "")).startswith("tokyo.csv, line 1: the columns userId, venueId,")


@pytest.mark.parametrize(
    "line",
    [
        "1541,4f0f",
        LINE.rpartition(",")[0],
        LINE.replace("35.70510109", "north"),
        LINE.replace("35.70510109", "nan"),
        LINE.replace("540", "nine"),
        LINE.replace("Tue Apr 03 18:17:18 +0000 2012", "2012-04-03"),
        LINE.replace("Ramen", '"Ramen'),
    ],
)
def test_a_line_of_another_shape_is_named_without_its_values(tmp_path: Path, line: str) -> None:
    said = refusal(written(tmp_path, HEADER, LINE, line))
    assert said.startswith("tokyo.csv, line 3: is no check-in (")
    assert "1541" not in said


def test_a_short_line_is_refused_whatever_the_order_of_columns(tmp_path: Path) -> None:
    header, line = ",".join(reversed(COLUMNS)), ",".join(list(reversed(LINE.split(",")))[:-1])
    assert refusal(written(tmp_path, header, line)) == "tokyo.csv, line 2: is no check-in (ValueError)."


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    assert "gone.csv: cannot be read: " in refusal(tmp_path / "gone.csv")
    (tmp_path / "latin.csv").write_bytes(b"\xe9")
    assert "latin.csv: cannot be read: " in refusal(tmp_path / "latin.csv")
