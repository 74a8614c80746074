"""One interface, three places: a directory, Cloud Storage, a BigQuery table."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from dataflow.errors import NorenError
from dataflow.objects import LocalObjects, Objects
from dataflow.objects.gcs import GcsObjects
from dataflow.objects.places import open_objects
from dataflow.objects.table import TableObjects
from scripts.stack import services
from scripts.stack.supervisor import Stack
from tests.gcs_server import GcsServer


@pytest.fixture(scope="module")
def storage() -> Iterator[GcsServer]:
    server = GcsServer(page=2)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def bucket(storage: GcsServer) -> Client:
    return Client("noren-test", AnonymousCredentials(), client_options={"api_endpoint": storage.url})


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TableObjects]:
    wanted = [service for service in services.SERVICES if service.name == "warehouse"]
    with Stack(tmp_path_factory.mktemp("home"), "noren-test", wanted, free_ports=True).running() as endpoints:
        client = endpoints.warehouse_client()
        client.create_dataset("operations")
        yield TableObjects(client, "noren-test.operations.policy_bundles")


@pytest.fixture(params=["directory", "bucket", "table"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    """Empty, or with the objects of other tests under other names."""
    if request.param == "directory":
        return LocalObjects(tmp_path)
    if request.param == "bucket":
        return GcsObjects(request.getfixturevalue("bucket"), "b", "noren/policy")
    store: Objects = request.getfixturevalue("table")
    return store


def test_the_first_writer_of_a_name_wins(objects: Objects) -> None:
    assert objects.create("first/000000000001", b"\x00one")
    assert not objects.create("first/000000000001", b"two")
    assert objects.read("first/000000000001") == b"\x00one"


@pytest.mark.parametrize("fault", ["lose", 503, 429])
def test_a_call_to_a_bucket_whose_answer_is_lost_is_made_again(
    storage: GcsServer, bucket: Client, fault: int | str
) -> None:
    objects = GcsObjects(bucket, "b", f"lost-{fault}")
    storage.faults = [fault]
    assert objects.create("1", b"one")  # it is its own object that it finds
    storage.faults = [fault]
    assert not objects.create("1", b"two")
    storage.faults = [fault]
    assert objects.read("1") == b"one"
    storage.faults = [fault]
    assert list(objects.names("")) == []
    storage.faults = [fault]
    objects.delete("1")
    assert f"lost-{fault}/1" not in storage.objects


def test_names_below_a_prefix_in_order(objects: Objects) -> None:
    for name in ("names/2", "names/1", "names/4", "names/5", "names/3", "namesake/3"):
        objects.create(name, b"x")
    assert list(objects.names("names")) == [f"names/{number}" for number in range(1, 6)]
    assert list(objects.names("nothing")) == []


def test_a_missing_object_is_one_sentence(objects: Objects) -> None:
    with pytest.raises(NorenError, match=r"^missing/1: "):
        objects.read("missing/1")


def test_deleting_is_no_error_twice(objects: Objects) -> None:
    objects.create("gone/1", b"x")
    objects.delete("gone/1")
    objects.delete("gone/1")
    assert list(objects.names("gone")) == []


def test_of_many_writers_of_one_name_exactly_one_wins(objects: Objects) -> None:
    won: list[int] = []

    def write(number: int) -> None:
        if objects.create("race/1", b"%d" % number):
            won.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert objects.read("race/1") == b"%d" % won[0]


def test_who_may_not_delete_is_refused_a_name_that_is_taken_like_everybody(
    storage: GcsServer, bucket: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = GcsObjects(bucket, "b", "noren/ledger")
    monkeypatch.setattr(storage, "taken", 403)
    assert objects.create("kept/1", b"one")
    assert objects.create("kept/1", b"one")
    assert not objects.create("kept/1", b"two")
    assert objects.read("kept/1") == b"one"


def test_a_bucket_that_is_closed_or_not_there_is_one_sentence(bucket: Client) -> None:
    with pytest.raises(NorenError, match=r"^x/1: Cloud Storage refused to create it: .*storage.objects.create"):
        GcsObjects(bucket, "closed").create("x/1", b"")
    with pytest.raises(NorenError, match=r"^there is no bucket gs://nowhere: "):
        list(GcsObjects(bucket, "nowhere").names("x"))


@pytest.mark.parametrize("place", ["s3://bucket/x", "gs://", "bigquery://project.table"])
def test_a_place_that_is_none_is_one_sentence(place: str) -> None:
    with pytest.raises(NorenError, match=rf"^{place}: no place for objects; give a directory"):
        open_objects(place)
