"""`noren dlq` on the real servers: bad events, a mended contract, a replay, and the same replay again."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from dataflow.errors import NorenError
from dataflow.keys import KeyRing
from dataflow.ledger import Ledger, mirrored
from dataflow.objects import LocalObjects
from scripts.cli.dlq import dlq
from scripts.main_job.pipeline import PipelineProcess
from scripts.stack.pubsub import statistics
from tests.conftest import Stream, made_stream
from tests.dataflow.cases import encoded, event

pytestmark = pytest.mark.timeout(180)

SECRET = "ana@example.com"
WEB = {**event()["device"], "type": "web"}
GOOD = [encoded(1), encoded(2)]
MENDED = [encoded(number, device=WEB, user_id=SECRET) for number in (3, 4, 5)]
SENT_AGAIN = encoded(6, device=WEB)
STILL_BAD = [encoded(7, user_id=5), encoded(8)[:-9]]


@dataclass
class World:
    """A stream whose pipeline saw all of the above and was stopped; then its contract was mended."""

    stream: Stream
    pipeline: PipelineProcess

    def dlq(self, *arguments: str) -> Any:
        arguments = (*arguments, "--home", str(self.stream.servers.home.root))
        done = CliRunner().invoke(dlq, arguments, catch_exceptions=True)
        if done.exception is not None:
            raise done.exception
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self.dlq(*arguments, "--stream", self.stream.name, "--json").stdout)

    def ids(self, reason: str) -> list[str]:
        return [letter["id"] for letter in self.json("list", "--reason", reason)["letters"]]

    def ledger(self) -> Ledger:
        return Ledger(LocalObjects(self.stream.servers.home.root / "ledger"), "dead_letters")

    def published(self) -> int:
        topic = self.stream.topics.topic(self.stream.name)
        return int(statistics(self.stream.servers.pubsub)["topics"][topic]["published"])

    def start(self) -> None:
        self.pipeline = PipelineProcess(self.stream.name, self.stream.servers.home.root, self.stream.project.root)

    def settled(self) -> tuple[int, int, int]:
        """(raw, dead, duplicates) once everything that was published is accounted for and committed."""
        progress = self.pipeline.wait_for(self.published())
        assert progress["accounted"] == self.published()
        return progress["raw"], progress["dead"], progress["duplicates"]


@pytest.fixture(scope="module")
def world(servers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    patch = pytest.MonkeyPatch()
    for stream in made_stream(servers, tmp_path_factory.mktemp("project")):
        patch.chdir(stream.project.root)
        world = World(stream, PipelineProcess(stream.name, servers.home.root, stream.project.root))
        try:
            stream.topics.publish_messages(
                stream.name,
                [(data, {"app_version": "3.2", "owner": SECRET}) for data in [*GOOD, *MENDED, SENT_AGAIN, *STILL_BAD]],
            )
            assert world.settled() == (2, 6, 0)
            yield world
        finally:
            world.pipeline.stop()
            patch.undo()


def test_counts_by_reason_and_the_newest(world: World) -> None:
    found = world.json("list")
    assert (found["total"], found["counts"]) == (
        6,
        [
            {"stream": world.stream.name, "reason": "not_allowed", "letters": 4},
            {"stream": world.stream.name, "reason": "malformed_json", "letters": 1},
            {"stream": world.stream.name, "reason": "wrong_type", "letters": 1},
        ],
    )
    (letter,) = [letter for letter in found["letters"] if letter["reason"] == "wrong_type"]
    assert {name: letter[name] for name in ("field", "message", "attributes", "replayed", "payload_bytes")} == {
        "field": "user_id",
        "message": "must be str, is int",
        "attributes": {"app_version": "3.2"},
        "replayed": None,
        "payload_bytes": len(STILL_BAD[0]),
    }
    assert letter["payload_redacted"]["user_id"] == "integer"


def test_filters(world: World) -> None:
    def total(*arguments: str) -> int:
        return int(world.json("list", *arguments)["total"])

    assert [
        total("--reason", "not_allowed"),
        total("--reason", "not_allowed", "--reason", "wrong_type"),
        total("--field", "user_id"),
        total("--since", "1h"),
        total("--until", "1h"),
        total("--since", "2020-01-01", "--until", "2020-01-02T00:00:00Z"),
        total("--replayed"),
    ] == [4, 5, 1, 6, 0, 0, 0]


def test_a_list_to_read(world: World) -> None:
    said = world.dlq("list", "--stream", world.stream.name, "--limit", "1").stdout.splitlines()
    assert said[0].split() == ["4", world.stream.name, "not_allowed"]
    assert said[3].split() == ["6", "in", "all"]
    assert said[-1] == "... 5 more: --limit, --since, --until, --reason"


def test_an_unknown_reason_is_one_sentence(world: World) -> None:
    with pytest.raises(NorenError, match=r"^wrong_typ: no reason code; did you mean wrong_type\?$"):
        world.dlq("list", "--reason", "wrong_typ")


def test_one_letter_is_shown_without_any_value(world: World) -> None:
    (id,) = world.ids("wrong_type")
    said = world.dlq("show", id[:12]).stdout
    assert f"{'meaning':<18}The field holds another type than the contract declares.\n" in said
    shown = [world.dlq("show", each).stdout for each in world.ids("not_allowed")]
    assert [value for value in (SECRET, "35.68", "iPhone") if value in "".join(shown)] == []


def test_ids_that_name_none(world: World) -> None:
    with pytest.raises(NorenError, match=r"^00000000: there is no such dead letter; they are kept for 14 days"):
        world.dlq("show", "00000000")
    with pytest.raises(NorenError, match=r"^%: no id of a dead letter"):
        world.dlq("show", "%")


def test_decrypted_bytes_are_shown_when_asked_for_and_that_is_on_record(world: World) -> None:
    (id,) = world.ids("wrong_type")
    before = len(list(world.ledger().entries()))
    found = json.loads(world.dlq("show", id, "--decrypt", "--because", "ticket 12", "--json").stdout)["decrypted"]
    assert base64.b64decode(found["data"]) == STILL_BAD[0]
    assert found["attributes"] == {"app_version": "3.2", "owner": SECRET}
    (line,) = list(world.ledger().entries())[before:]
    assert (line.number, line.kind, line.details) == (
        found["ledger_line"],
        "dead_letters.decrypted",
        {"dead_token": id, "stream": world.stream.name, "because": "ticket 12"},
    )
    assert world.ledger().verify(mirrored(world.ledger(), world.stream.client)) == []
    assert line.number in mirrored(world.ledger(), world.stream.client)
    assert STILL_BAD[0].decode() in world.dlq("show", id, "--decrypt").stdout


def test_without_the_key_nothing_is_shown_and_nothing_is_on_record(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (id,) = world.ids("wrong_type")
    before = len(list(world.ledger().entries()))
    other = KeyRing.local(tmp_path)
    monkeypatch.setattr(KeyRing, "open", lambda *_: other)
    with pytest.raises(NorenError, match="cannot be opened with this key ring"):
        world.dlq("show", id, "--decrypt")
    assert len(list(world.ledger().entries())) == before


def mend(world: World) -> None:
    path = world.stream.project.contracts / f"{world.stream.name}.yaml"
    contract = yaml.safe_load(path.read_text())
    (device,) = [field for field in contract["schema"][0]["properties"] if field["name"] == "device"]
    device["properties"][0]["enum"].append({"value": "web"})
    contract["version"] = "1.1.0"
    path.write_text(json.dumps(contract))


def counted(report: Any) -> dict[str, Any]:
    return {name: report[0][name] for name in ("letters", "published", "refused", "landed", "unread")}


REFUSED = [
    {"reason": "malformed_json", "now": "malformed_json", "letters": 1},
    {"reason": "wrong_type", "now": "wrong_type", "letters": 1},
]


def test_after_the_contract_is_mended_the_replayed_rows_land_and_a_second_run_changes_nothing(world: World) -> None:
    stream = world.stream
    before = world.json("replay", "--dry-run")
    assert counted(before) == {
        "letters": 6,
        "published": {},
        "refused": [REFUSED[0], {"reason": "not_allowed", "now": "not_allowed", "letters": 4}, REFUSED[1]],
        "landed": {},
        "unread": {},
    }
    world.pipeline.stop()
    mend(world)
    world.start()
    stream.publish(SENT_AGAIN)  # its publisher sends it anew
    assert world.settled() == (3, 6, 0)

    rehearsed = world.json("replay", "--dry-run")
    assert (rehearsed[0]["dry_run"], rehearsed[0]["contract_version"]) == (True, "1.1.0")
    assert world.published() == 9
    ran = world.json("replay")
    wanted = {
        "letters": 6,
        "published": {"not_allowed": 3},
        "refused": REFUSED,
        "landed": {"not_allowed": 1},
        "unread": {},
    }
    assert (counted(rehearsed), counted(ran)) == (wanted, wanted)
    assert world.published() == 12
    assert world.settled() == (6, 6, 0)
    for role in ("raw", "anonymized"):
        tokens = [row["event_token"] for row in stream.rows(role, "event_token")]
        assert (len(tokens), len(set(tokens))) == (6, 6)
    users = [row["user_id"] for row in stream.rows("raw", "user_id")]
    assert users.count(SECRET) == 3
    assert world.json("list", "--replayed")["total"] == 3

    again = world.json("replay")
    assert counted(again) == {**wanted, "letters": 3, "published": {}}
    assert world.published() == 12
    # also those that were published before: the tables have them
    assert counted(world.json("replay", "--again")) == {**wanted, "published": {}, "landed": {"not_allowed": 4}}
    assert (world.published(), world.settled()) == (12, (6, 6, 0))
    kinds = [line.kind for line in world.ledger().entries() if line.details["stream"] == stream.name]
    assert kinds.count("dead_letters.replayed") == 1


def test_a_replay_that_dies_before_its_record_is_run_again_and_its_events_are_duplicates(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = world.stream
    raw, dead, duplicates = world.settled()
    late = encoded(20, device={**WEB, "type": "tv"})
    stream.topics.publish_messages(stream.name, [(late, {"empty": "no"})])
    assert world.settled() == (raw, dead + 1, duplicates)
    world.pipeline.stop()
    path = stream.project.contracts / f"{stream.name}.yaml"
    path.write_text(path.read_text().replace('{"value": "web"}', '{"value": "web"}, {"value": "tv"}'))

    from dataflow.dead_letters.replay import Replayer

    class Crash(BaseException):
        pass

    def crash(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(Replayer, "_record", crash)
        with pytest.raises(Crash):
            world.dlq("replay", "--stream", stream.name, "--reason", "not_allowed")
    assert world.json("replay", "--reason", "not_allowed")[0]["published"] == {"not_allowed": 1}
    world.start()
    assert world.settled() == (raw + 1, dead + 1, duplicates + 1)
    assert len(stream.rows("raw", "event_token")) == raw + 1


def test_the_first_message_stays_named_through_replays(world: World) -> None:
    stream = world.stream
    world.settled()
    message = {"noren-original-message-id": "17", "noren-original-publish-time": "2026-01-01T00:00:00Z", "owner": "o"}
    stream.topics.publish_messages(stream.name, [(encoded(30, device={**WEB, "type": "car"}), message)])
    world.settled()
    (id,) = [
        letter["id"]
        for letter in world.json("list", "--not-replayed", "--reason", "not_allowed", "--limit", "1")["letters"]
    ]
    world.pipeline.stop()
    path = stream.project.contracts / f"{stream.name}.yaml"
    path.write_text(path.read_text().replace('{"value": "web"}', '{"value": "web"}, {"value": "car"}'))
    assert world.json("replay", "--limit", "5", "--field", "device.type")[0]["published"] == {"not_allowed": 1}
    from dataflow import names
    from dataflow.sources.pubsub import PubSubSubscription

    source = PubSubSubscription("noren-test", names.subscription(stream.name), stream.servers.pubsub)
    (received,) = source.pull(10, timeout=5)
    assert dict(received.attributes) == {**message, "noren-replay-of": id}
    source.extend([received.ack_id], 0)
    source.close()
    world.start()
    raw, dead, duplicates = world.settled()
    assert raw + dead + duplicates == world.published()
