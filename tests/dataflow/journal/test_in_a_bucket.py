"""The journal in Cloud Storage: the same protocol where create-if-absent is a precondition and answers get lost."""

from collections.abc import Callable, Iterator

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from dataflow.errors import NorenError
from dataflow.journal import Entry, Journal, Taken
from dataflow.keys import KeyRing
from dataflow.objects.gcs import GcsObjects
from dataflow.operators.deduplicate import HOUR
from dataflow.operators.index import Index
from tests.gcs_server import GcsServer

Opened = Callable[[], Journal]


@pytest.fixture
def storage() -> Iterator[GcsServer]:
    server = GcsServer(page=7)
    yield server
    server.stop()


@pytest.fixture
def opened(storage: GcsServer, keys: KeyRing) -> Opened:
    """The journal as another process opens it."""
    client = Client("noren-test", AnonymousCredentials(), client_options={"api_endpoint": storage.url})
    return lambda: Journal(GcsObjects(client, "b", "journal"), keys.sealer("journal"), "shard")


def entry(number: int) -> Entry:
    return Entry(Index.of([(f"{number:032x}", f"p{number}", number * HOUR)]))


def tokens(journal: Journal) -> list[int]:
    return [int(token, 16) for index in journal.indexes() for token in index[1].accepted.token_names()]


def test_what_is_staged_and_committed_is_found_by_the_next_process(opened: Opened, storage: GcsServer) -> None:
    journal = opened()
    for number in range(40):  # 32 folds become one
        assert journal.stage(entry(number)) == number
        journal.commit(journal.group(number, number))
    journal.stage(entry(40))
    again = opened()
    assert (again.frontier, list(again.ungrouped()), tokens(again)) == (39, [40], list(range(41)))
    assert [name for name in storage.objects if "/entries/" in name] == ["journal/shard/entries/000000000040"]
    assert len([name for name in storage.objects if "/indexes/" in name]) == 9


def test_lost_answers_change_nothing(opened: Opened, storage: GcsServer) -> None:
    journal = opened()
    journal.stage(entry(0))
    for number in (1, 2, 3):
        storage.faults = ["lose", 503]
        assert journal.stage(entry(number)) == number
    storage.faults = ["lose"]
    group = journal.group(0, 3)
    storage.faults = ["lose", 503]
    journal.commit(group)
    assert (group.first, group.last, tokens(opened())) == (0, 3, [0, 1, 2, 3])


def test_of_two_writers_the_later_one_goes_on_and_the_first_is_told(opened: Opened) -> None:
    one, other = opened(), opened()
    one.stage(entry(0))
    with pytest.raises(Taken):
        other.stage(entry(1))
    assert other.stage(entry(1)) == 1
    with pytest.raises(NorenError, match="another process writes this journal too"):
        one.commit(one.group(0, 0))
    assert tokens(opened()) == [0, 1]


def test_what_the_horizon_passed_is_gone(opened: Opened, storage: GcsServer) -> None:
    journal = opened()
    for number in range(12):
        journal.stage(entry(number))
        journal.commit(journal.group(number, number))
    journal.forget(5 * HOUR)
    assert tokens(opened()) == [6, 7, 8, 9, 10, 11]


def test_nothing_in_it_is_readable(opened: Opened, storage: GcsServer) -> None:
    journal = opened()
    journal.stage(Entry(Index.of([("ab" * 16, "p", 1)]), consumed="ana@example.com"))
    journal.commit(journal.group(0, 0))
    everything = b"".join(name.encode() + data for name, data in storage.objects.items())
    assert b"ana@example.com" not in everything
    assert bytes.fromhex("ab" * 16) not in everything
