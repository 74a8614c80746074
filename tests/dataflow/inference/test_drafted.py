"""Contracts drafted from samples."""

import gzip
import json
import random
import tracemalloc
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataflow.errors import NorenError
from dataflow.inference import ContractDraft, Draft, drafted, stream_of
from dataflow.inference.rules import checked
from dataflow.inference.write import text


def events(number: int = 200, seed: int = 5) -> Iterator[dict[str, Any]]:
    chance = random.Random(seed)
    for index in range(number):
        yield {
            "event_id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            "time": f"2026-01-01T{index // 3600:02}:{index // 60 % 60:02}:{index % 60:02}Z",
            "user": {"id": f"u{chance.randint(1, 40)}", "mail": f"user{chance.randint(1, 40)}@example.jp"},
            "ip": f"203.0.113.{chance.randint(1, 254)}",
            "status": chance.choice(["ok", "failed"]),
            "event_name": chance.choice(["page_view", "tap"]),
            "latitude": chance.uniform(35, 36),
            "longitude": chance.uniform(139, 140),
            "p": chance.uniform(-80, 80),
            "q": chance.uniform(-170, 170),
            "amount": chance.randint(1, 9) if index % 2 else 1.5,
            "remark": "please call me back at home",
            "what": "4111 1111 1111 1111",
            "born": "2001-02-03",
            "open": True,
            "tags": ["a", "b"],
            "lines": [{"sku": "s1", "qty": 2}],
            "by_user": {f"u{chance.randint(1, 10**9)}": 1},
            "nothing": None,
            "flavour": f"Zanzibar{chance.randint(1, 3)}",
        } | ({"rare": "x"} if index % 3 == 0 else {})


def sample(folder: Path, *lines: Any, name: str = "web_log.ndjson") -> Path:
    path = folder / name
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


@pytest.fixture(scope="module")
def draft(tmp_path_factory: pytest.TempPathFactory) -> ContractDraft:
    return drafted(sample(tmp_path_factory.mktemp("sample"), *events()), "web_log", "web")[0]


def at(draft: ContractDraft, path: str) -> Draft:
    return draft.find(path)[-1]


@pytest.mark.parametrize(
    ("path", "kind", "required"),
    [
        ("event_id", "string", True),
        ("time", "timestamp", True),
        ("user", "object", True),
        ("user.id", "string", True),
        ("status", "string", True),
        ("amount", "number", True),
        ("born", "date", True),
        ("open", "boolean", True),
        ("tags", "array", True),
        ("by_user", "map", True),
        ("rare", "string", False),
    ],
)
def test_types_and_presence_are_inferred(draft: ContractDraft, path: str, kind: str, required: bool) -> None:
    assert (at(draft, path).kind, at(draft, path).required) == (kind, required)


@pytest.mark.parametrize(
    ("path", "classification"),
    [
        ("event_id", "identifier"),
        ("user.mail", "identifier"),
        ("ip", "network"),
        ("status", "public"),
        ("latitude", "location"),
        ("p", "location"),
        ("q", "location"),
        ("remark", "free_text"),
        ("what", "sensitive"),
        ("open", "quasi_identifier"),
        ("by_user", "free_text"),
        ("flavour", "quasi_identifier"),
    ],
)
def test_classifications_are_proposed(draft: ContractDraft, path: str, classification: str) -> None:
    guess = at(draft, path).guess
    assert guess is not None
    assert guess.classification == classification


def test_limits_have_headroom(draft: ContractDraft) -> None:
    assert at(draft, "event_id").options == {"format": "uuid"}
    assert at(draft, "user.mail").options == {"minLength": 1, "maxLength": 64}
    assert at(draft, "latitude").options == {"minimum": -90, "maximum": 90}


def test_few_values_of_a_public_field_are_an_enum_unless_releases_add_some(draft: ContractDraft) -> None:
    assert at(draft, "status").values == ("failed", "ok")
    assert at(draft, "event_name").values == ()
    assert at(draft, "event_name").options == {"pattern": "^[a-z][a-z0-9_]{0,63}$"}


def test_identity_and_event_time_are_found(draft: ContractDraft) -> None:
    assert (at(draft, "event_id").key, draft.event_time) == (1, "time")


def test_the_draft_passes_the_check(draft: ContractDraft) -> None:
    contract = checked("web_log", text(draft))
    assert contract.identity == ("event_id",)
    assert {leaf.path for leaf in contract.leaves() if leaf.path.startswith("lines")} == {"lines.sku", "lines.qty"}


def test_every_leaf_has_a_classification_with_its_confidence(draft: ContractDraft) -> None:
    lines = [line for line in text(draft).splitlines() if "classification:" in line]
    assert len(lines) == len(draft.leaves())
    assert all("# proposed, " in line and "%: " in line for line in lines)


def test_no_value_of_a_field_that_is_not_public_is_in_the_text(draft: ContractDraft) -> None:
    written = text(draft)
    for event in events():
        for value in (event["event_id"], event["ip"], event["remark"], event["what"], event["user"]["mail"]):
            assert value not in written
    for piece in (
        "Zanzibar",
        "4111",
        "203.0.113",
        "example.jp",
        "2001-02-03",
        '"a"',
        "s1",
        *(next(events())["by_user"]),
    ):
        assert piece not in written


def test_a_name_that_no_column_can_have_is_left_out_and_told(tmp_path: Path) -> None:
    lines = [event | {"氏名": "x", "batch_id": "y", "Status": "z"} for event in events(50)]
    draft, _ = drafted(sample(tmp_path, *lines), "web_log", "web")
    assert {path for path, _ in draft.undeclared} == {"氏名", "batch_id", "Status", "nothing"}


def test_a_rare_name_of_no_usable_form_is_not_repeated(tmp_path: Path) -> None:
    lines = [*events(50), next(events(1, seed=6)) | {"090-1234-5678": 1}]
    draft, _ = drafted(sample(tmp_path, *lines), "web_log", "web")
    assert (
        "<other>",
        "a column's name is letters, digits and underscores: have the sender rename it",
    ) in draft.undeclared
    assert "090" not in str(draft.undeclared) + text(draft)


def test_bad_lines_are_counted_and_read_over(tmp_path: Path) -> None:
    path = sample(tmp_path, "{broken\n", "[1]\n", "\n", *events(50), '"text"\n')
    assert vars(drafted(path, "web_log", "web")[1]) == {"events": 50, "bad": 3, "skipped": 0}


def test_values_of_another_type_are_told_and_do_not_decide(tmp_path: Path) -> None:
    lines = list(events(100))
    lines[7]["born"] = 7
    draft, _ = drafted(sample(tmp_path, *lines), "web_log", "web")
    assert (at(draft, "born").kind, at(draft, "born").required) == ("date", False)
    assert at(draft, "born").remarks == ["1.0% of the values are of another type: dead letters"]


def test_events_sent_twice_do_not_hide_the_identity(tmp_path: Path) -> None:
    lines = list(events(200))
    draft, _ = drafted(sample(tmp_path, *lines, *lines[:4]), "web_log", "web")
    assert at(draft, "event_id").key == 1


def test_without_an_id_time_and_others_name_an_event(tmp_path: Path) -> None:
    lines = [{"at": f"2026-01-01T00:00:{index // 5:02}Z", "ip": f"203.0.113.{index % 5}"} for index in range(100)]
    draft, _ = drafted(sample(tmp_path, *lines), "web_log", "web")
    assert [(field.path, field.key, field.required) for field in draft.all()] == [("at", 1, True), ("ip", 2, True)]


def test_nothing_that_names_an_event_is_said_with_the_way_out(tmp_path: Path) -> None:
    lines = [{"at": "2026-01-01T00:00:00Z", "ip": "203.0.113.1"}] * 50
    with pytest.raises(
        NorenError, match=r"Have the sender add an event_id \(a UUID\), or name the fields with --ident"
    ):
        drafted(sample(tmp_path, *lines), "web_log", "web")


def test_a_time_as_a_number_is_pointed_at(tmp_path: Path) -> None:
    lines = [{"id": f"i{index}", "ts": 1_700_000_000 + index} for index in range(50)]
    with pytest.raises(NorenError, match=r"in nearly every event; ts would be one if the sender wrote it so"):
        drafted(sample(tmp_path, *lines), "web_log", "web")


def test_identity_and_time_can_be_said(tmp_path: Path) -> None:
    draft, _ = drafted(sample(tmp_path, *events(50)), "web_log", "web", time="time", keys=("user.id", "time"))
    assert [at(draft, path).key for path in ("user.id", "time", "event_id")] == [1, 2, None]


def test_a_path_that_is_said_and_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NorenError, match=r"no field when: there are event_id, time, user, user\.id"):
        drafted(sample(tmp_path, *events(50)), "web_log", "web", time="when")


def test_a_large_file_is_sampled_over_its_whole_length(tmp_path: Path) -> None:
    lines = [event | ({"late": 1} if index > 1500 else {}) for index, event in enumerate(events(2000))]
    draft, counts = drafted(sample(tmp_path, *lines), "web_log", "web", most=100)
    assert counts.events <= 100
    assert counts.events + counts.skipped == 2000
    assert at(draft, "late").kind == "integer"


def test_memory_stays_bounded_however_long_a_line_is(tmp_path: Path) -> None:
    path = sample(tmp_path, *events(50), '{"x": "' + "a" * 60_000_000 + '"}\n')
    tracemalloc.start()
    _, counts = drafted(path, "web_log", "web")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert counts.bad == 1
    assert peak < 50_000_000


def test_packed_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "web.ndjson.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(event) + "\n" for event in events(50)).encode()))
    assert drafted(path, "web_log", "web")[1].events == 50


def test_progress_is_told_in_bytes(tmp_path: Path) -> None:
    path = sample(tmp_path, *events(50))
    told: list[tuple[int, int]] = []
    drafted(path, "web_log", "web", advance=lambda done, size: told.append((done, size)))
    assert told[-1] == (path.stat().st_size, path.stat().st_size)


@pytest.mark.parametrize("content", ["", "\n\n", "{broken\n"])
def test_a_file_without_events_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(NorenError, match=r"holds no event: one JSON object a line is wanted"):
        drafted(sample(tmp_path, content), "web_log", "web")


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(NorenError, match=r"gone\.ndjson: cannot be read: No such file or directory\.$"):
        drafted(tmp_path / "gone.ndjson", "web_log", "web")


def test_a_streams_name_comes_from_the_file() -> None:
    assert stream_of(Path("/tmp/Web-Log.2026.ndjson")) == "web_log"
    with pytest.raises(NorenError, match=r"say --stream NAME"):
        stream_of(Path("2026.ndjson"))
