"""Mappings of old schemas: conversions, eras by files, fields and dates, and what is wrong with a file."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from dataflow.contract import Contract
from dataflow.core.rejects import RefusedError
from dataflow.errors import NorenError
from dataflow.sources.eras import Mapped, Mapping, load_mapping


def mapping(tmp_path: Path, contract: Contract, *eras: dict[str, Any]) -> Mapping:
    path = tmp_path / "eras.yaml"
    path.write_text(yaml.safe_dump({"stream": contract.stream, "eras": list(eras)}, sort_keys=False))
    return load_mapping(path, contract)


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        ("uid", {"uid": "u1"}, "u1"),
        ("who.id", {"who": {"id": "u1"}}, "u1"),
        ({"from": ["uid", "user"]}, {"user": "u2"}, "u2"),
        ({"from": "uid", "default": "nobody"}, {}, "nobody"),
        ({"from": "uid", "type": "string"}, {"uid": 17}, "17"),
        ({"from": "uid", "strip": True, "lower": True}, {"uid": " U1 "}, "u1"),
        ({"value": "fixed"}, {"uid": "u1"}, "fixed"),
        ({"join": {"paths": ["a", "b"], "separator": "-"}}, {"a": "x", "b": 7}, "x-7"),
        ({"from": "uid", "map": {"1": "one"}}, {"uid": 1}, "one"),
        ({"from": "uid", "map": {"1": "one"}, "otherwise": "keep"}, {"uid": "2"}, "2"),
        ({"from": "uid", "map": {"1": "one"}, "otherwise": "drop"}, {"uid": "2"}, None),
        ({"from": "uid", "map": {"-": None}}, {"uid": "-"}, None),
        ({"from": "n", "multiply": 0.3048}, {"n": "100"}, 30.48),
        ({"from": "n", "multiply": 2, "add": 1, "type": "integer"}, {"n": 3}, 7),
        ({"from": "n", "type": "boolean"}, {"n": "yes"}, True),
        ({"from": "t", "time": "epoch_s"}, {"t": 1500000000}, "2017-07-14T02:40:00.000000Z"),
        ({"from": "t", "time": "epoch_ms"}, {"t": "1500000000123"}, "2017-07-14T02:40:00.123000Z"),
        ({"from": "t", "time": "iso"}, {"t": "2017-07-14T11:40:00+09:00"}, "2017-07-14T02:40:00.000000Z"),
        (
            {"from": "t", "time": "%d/%b/%Y:%H:%M:%S", "zone": "Asia/Tokyo"},
            {"t": "14/Jul/2017:11:40:00"},
            "2017-07-14T02:40:00.000000Z",
        ),
    ],
)
def test_conversions(tmp_path: Path, app_event: Contract, rule: Any, old: dict[str, Any], new: Any) -> None:
    made = mapping(tmp_path, app_event, {"name": "v1", "others": "drop", "fields": {"user_id": rule}})
    assert made.map("a.csv", old) == ({} if new is None else {"user_id": new})


def test_an_id_made_of_other_values_is_the_same_for_the_same_values(tmp_path: Path, app_event: Contract) -> None:
    made = mapping(
        tmp_path, app_event, {"name": "v1", "others": "drop", "fields": {"event_id": {"uuid_of": ["uid", "t"]}}}
    )
    assert made.map("a", {"uid": "u1", "t": 5}) == {"event_id": "b3204bc0-6a58-5d6b-b0dc-e6e525603fc3"}
    assert made.map("a", {"uid": "u1", "t": "5"}) == made.map("b", {"uid": "u1", "t": 5})


@pytest.mark.parametrize(
    ("rule", "old", "sentence"),
    [
        ({"from": "uid", "map": {"1": "one"}}, "secret", "is none of the values that the mapping names"),
        ({"from": "uid", "type": "integer"}, "secret", "must be a number"),
        ({"from": "uid", "type": "boolean"}, "secret", "must be boolean"),
        ({"from": "uid", "time": "epoch_s"}, "secret", "must be a number"),
        ({"from": "uid", "time": "iso"}, "secret", "is no time of the form iso"),
        ({"from": "uid", "time": "iso"}, "2017-07-14T11:40:00", "says no time zone and the mapping names none"),
    ],
)
def test_what_cannot_be_converted_is_refused_by_field_without_the_value(
    tmp_path: Path, app_event: Contract, rule: Any, old: str, sentence: str
) -> None:
    made = mapping(tmp_path, app_event, {"name": "v1", "fields": {"user_id": rule}})
    with pytest.raises(RefusedError) as refused:
        made.map("a.csv", {"uid": old})
    assert (refused.value.field, refused.value.words) == ("user_id", sentence)


def test_the_first_era_whose_files_fields_and_dates_fit_takes_the_row(tmp_path: Path, app_event: Contract) -> None:
    made = mapping(
        tmp_path,
        app_event,
        {
            "name": "v1",
            "files": ["2017*.csv"],
            "until": "2018-01-01T00:00:00Z",
            "others": "drop",
            "fields": {"timestamp": {"from": "t", "time": "epoch_s"}, "event_type": {"value": "v1"}},
        },
        {
            "name": "v2",
            "has": ["when"],
            "from": "2018-01-01T00:00:00Z",
            "until": "2024-01-01T00:00:00Z",
            "others": "drop",
            "fields": {"timestamp": "when", "event_type": {"value": "v2"}},
        },
    )
    old, new = "2017-07-14T02:40:00.000000Z", "2020-01-01T00:00:00Z"
    assert made.map("/logs/2017-07.csv", {"t": 1500000000}) == {"timestamp": old, "event_type": "v1"}
    assert made.map("/logs/2017-07.csv", {"when": new}) == {"event_type": "v1"}  # no time: the core refuses it
    assert made.map("/logs/2020.csv", {"when": new}) == {"timestamp": new, "event_type": "v2"}
    assert made.map("/logs/2020.csv", {"when": "2024-01-01T00:00:00Z"}) is Mapped.OUTSIDE
    assert made.map("/logs/2020.csv", {"when": "2017-12-31T23:59:59Z"}) is Mapped.OUTSIDE
    with pytest.raises(RefusedError, match="fits none of the mapping's eras"):
        made.map("/logs/2020.csv", {"t": 1500000000})


def test_what_no_rule_reads_is_copied_so_that_the_core_counts_it(tmp_path: Path, app_event: Contract) -> None:
    made = mapping(tmp_path, app_event, {"name": "v1", "fields": {"user_id": "who.id"}})
    old = {"who": {"id": "u1", "mood": "good"}, "event_type": "page_view", "empty": ""}
    assert made.map("a", old) == {"user_id": "u1", "event_type": "page_view", "who": {"mood": "good"}}


@pytest.mark.parametrize(
    ("era", "sentence"),
    [
        (
            {"name": "v1", "fields": {"user": "uid"}},
            "v1: user: the contract declares no such field; did you mean user_id?",
        ),
        ({"name": "v1", "fields": {"user_id": {"form": "uid"}}}, "$.eras[0].fields.user_id: "),
        ({"name": "v1", "fields": {}, "until": "2018-01-01"}, "v1: until: must be a time with a zone, such as"),
        (
            {"name": "v1", "fields": {}, "from": "2018-01-01T00:00:00Z", "until": "2017-01-01T00:00:00Z"},
            "v1: from lies behind until.",
        ),
        (
            {"name": "v1", "fields": {"timestamp": {"from": "t", "time": "iso", "zone": "Mars/Base"}}},
            "v1: timestamp: zone: Mars/Base is no time zone.",
        ),
    ],
)
def test_a_wrong_mapping_is_one_sentence(
    tmp_path: Path, app_event: Contract, era: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(NorenError) as error:
        mapping(tmp_path, app_event, era)
    assert str(error.value).startswith(f"eras.yaml: {sentence}")


def test_a_mapping_of_another_stream_is_refused(tmp_path: Path, app_event: Contract) -> None:
    path = tmp_path / "eras.yaml"
    path.write_text(json.dumps({"stream": "checkin", "eras": [{"name": "v1", "fields": {}}]}))
    with pytest.raises(NorenError, match=r"^eras\.yaml: stream: it maps to checkin, not to app_event\.$"):
        load_mapping(path, app_event)
