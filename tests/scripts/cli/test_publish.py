"""`noren publish`: a file's lines, or simulated events."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from dataflow.errors import NorenError
from scripts.cli.publish import publish
from scripts.stack import services
from scripts.stack.supervisor import Stack

TOPIC = "projects/noren-test/topics/app-event"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a running Pub/Sub server."""
    home = tmp_path_factory.mktemp("home")
    wanted = [service for service in services.SERVICES if service.name == "pubsub"]
    with Stack(home, "noren-test", wanted, free_ports=True).running():
        yield home


def refusal(*arguments: str) -> str:
    error = CliRunner().invoke(publish, [*arguments]).exception
    assert isinstance(error, NorenError)
    return str(error)


def test_each_line_of_a_file_is_an_event(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text(json.dumps({"a": 1}) + "\n" + "broken\n")
    said = CliRunner().invoke(publish, ["app_event", str(file), "--home", str(home)]).stdout
    assert said == f"2 events published to {TOPIC}\n"


def test_simulated_events_are_published(home: Path) -> None:
    said = CliRunner().invoke(publish, ["app_event", "--simulate", "50", "--home", str(home)]).stdout
    assert said.endswith(f" events published to {TOPIC}\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["app_event"], "what is published is either FILE or --simulate with a number."),
        (["app_event", "a.ndjson", "--simulate", "5"], "what is published is either FILE or --simulate with a number."),
        (["checkin", "--simulate", "5"], "only events of app_event are simulated, none of checkin: give a FILE."),
        (["nothing", "a.ndjson"], "nothing is no stream: there are contracts for app_event, checkin."),
    ],
)
def test_what_cannot_be_published_is_one_sentence(arguments: list[str], sentence: str) -> None:
    assert refusal(*arguments) == sentence
