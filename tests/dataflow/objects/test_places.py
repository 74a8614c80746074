"""One interface, three places: a directory, Cloud Storage, a BigQuery table."""

import json
import threading
import urllib.parse
from collections.abc import Iterator
from email import message_from_bytes
from http.server import ThreadingHTTPServer
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
from tests.http_server import Answering, serving


class Storage(Answering):
    """The part of Cloud Storage's JSON API that objects need (https://cloud.google.com/storage/docs/json_api/v1)."""

    objects: dict[str, bytes]
    taken = 412
    """What a name that is taken is refused with."""
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        assert query["uploadType"] == ["multipart"]
        mime = message_from_bytes(b"Content-Type: " + self.headers["content-type"].encode() + b"\r\n\r\n" + body)
        metadata, data = (part.get_payload(decode=True) for part in mime.get_payload())
        name = json.loads(metadata)["name"]
        if query.get("ifGenerationMatch") == ["0"] and name in self.objects:
            return self.answer(self.taken, {})
        if "/b/closed/" in self.path:
            return self.answer(403, {"error": {"message": "no storage.objects.create access"}})
        self.objects[name] = data
        return self.answer(200, {"name": name, "bucket": "b", "generation": "1"})

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        if "/b/nowhere/" in self.path:
            return self.answer(404, {})
        if url.path.endswith("/o"):
            (prefix,) = urllib.parse.parse_qs(url.query)["prefix"]
            items = [{"name": name, "bucket": "b"} for name in self.objects if name.startswith(prefix)]
            return self.answer(200, {"items": items})
        name = urllib.parse.unquote(url.path.rpartition("/o/")[2])
        if name not in self.objects:
            return self.answer(404, {})
        media = "alt=media" in url.query
        return self.answer(200, self.objects[name] if media else {"name": name, "bucket": "b"})

    def do_DELETE(self) -> None:
        name = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path.rpartition("/o/")[2])
        self.answer(204 if self.objects.pop(name, None) is not None else 404, b"")


@pytest.fixture(scope="module")
def bucket() -> Iterator[Client]:
    handler = type("Handler", (Storage,), {"objects": {}})
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as url:
        yield Client("noren-test", AnonymousCredentials(), client_options={"api_endpoint": url})


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


def test_names_below_a_prefix_in_order(objects: Objects) -> None:
    for name in ("names/2", "names/1", "namesake/3"):
        objects.create(name, b"x")
    assert list(objects.names("names")) == ["names/1", "names/2"]
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
    bucket: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = GcsObjects(bucket, "b", "noren/ledger")
    monkeypatch.setattr(Storage, "taken", 403)
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
