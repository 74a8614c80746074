"""Readers of policy tags, on a small server that answers as Data Catalog does."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from dataflow.errors import NorenError
from dataflow.project import Project
from iam.engine.rights import FINE_GRAINED_READER
from iam.files import AccessFiles, PolicyTag, load
from iam.plan import Change
from iam.tags import PolicyTags, apply_tags, drift_of_tags

P = "acme-analytics"
TAXONOMY = f"projects/{P}/locations/asia-northeast1/taxonomies/1"
TAG = f"{TAXONOMY}/policyTags/2"
LIMITED = {"title": "until", "expression": 'request.time < timestamp("2027-01-01T00:00:00Z")'}
OTHERS: list[dict[str, Any]] = [
    {"role": "roles/viewer", "members": ["user:ada@example.com"]},
    {"role": FINE_GRAINED_READER, "members": ["user:bo@example.com"], "condition": LIMITED},
]


class Catalog(ThreadingHTTPServer):
    """bindings: of the tag. number: its etag. rivals: writes of others that come between a read and a write."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bindings: list[dict[str, Any]] = [
            *OTHERS,
            {"role": FINE_GRAINED_READER, "members": ["group:old@example.com"]},
        ]
        self.number, self.rivals, self.writes = 1, 0, 0
        self.refused = False


class Handler(BaseHTTPRequestHandler):
    server: Catalog

    def do_GET(self) -> None:
        path, _, query = self.path.removeprefix("/v1/").partition("?")
        if path == f"{TAXONOMY}/policyTags":  # two pages
            if "pageToken=x" in query:
                self.answer(200, {"policyTags": [{"name": TAG, "displayName": "location"}]})
            else:
                self.answer(200, {"policyTags": [], "nextPageToken": "x"})
        else:
            self.answer(200, {"taxonomies": [{"name": TAXONOMY}]} if TAXONOMY.startswith(path) else {})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        mine, verb = self.server, self.path.partition(":")[2]
        if mine.refused:
            self.answer(403, {"error": {"message": "Permission denied"}})
        elif verb == "getIamPolicy":
            assert asked == {"options": {"requestedPolicyVersion": 3}}
            self.answer(200, {"version": 3, "etag": str(mine.number), "bindings": mine.bindings})
            if mine.rivals:
                mine.rivals, mine.number = mine.rivals - 1, mine.number + 1
        elif asked["policy"]["etag"] != str(mine.number):
            self.answer(409, {"error": {"message": "There were concurrent policy changes."}})
        else:
            mine.bindings, mine.number, mine.writes = asked["policy"]["bindings"], mine.number + 1, mine.writes + 1
            self.answer(200, asked["policy"])

    def answer(self, code: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    server = Catalog()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tags(catalog: Catalog) -> PolicyTags:
    return PolicyTags(requests.Session(), f"http://127.0.0.1:{catalog.server_address[1]}")


@pytest.fixture
def files() -> AccessFiles:
    found = load(Project(Project.find(Path(__file__)).root, P))
    return replace(found, policy_tags={"location": PolicyTag("location", "Where.", ("group:New@example.com",))})


def readers(catalog: Catalog) -> list[str]:
    return [
        m for b in catalog.bindings if b["role"] == FINE_GRAINED_READER and "condition" not in b for m in b["members"]
    ]


def test_readers_become_those_of_the_file_and_other_bindings_stay(catalog, tags, files):
    intended: list[Change] = []
    done = apply_tags(tags, files, dry_run=False, intended=intended.append)
    assert [str(change) for change in done] == [
        "policy tag location: + reader group:new@example.com",
        "policy tag location: - reader group:old@example.com",
    ]
    assert intended == done
    assert readers(catalog) == ["group:New@example.com"]
    assert catalog.bindings[:2] == OTHERS
    assert apply_tags(tags, files, dry_run=False) == []
    assert catalog.writes == 1


def test_a_dry_run_says_the_same_and_writes_nothing(catalog, tags, files):
    assert len(apply_tags(tags, files, dry_run=True)) == 2
    assert catalog.writes == 0


def test_a_rival_writer_is_read_again(catalog, tags, files):
    catalog.rivals = 2
    intended: list[Change] = []
    apply_tags(tags, files, dry_run=False, intended=intended.append)
    assert (readers(catalog), catalog.writes, len(intended)) == (["group:New@example.com"], 1, 2)


def test_a_tag_that_no_taxonomy_has_is_skipped_with_a_sentence(tags, files):
    other = replace(files, policy_tags={"secret": PolicyTag("secret", "x", ())})
    [change] = apply_tags(tags, other, dry_run=False)
    assert (change.action, change.changes) == ("skip", False)
    assert list(drift_of_tags(tags, other)) == [("policy tag secret", "no tag", "")]


def test_drift_tells_readers_outside_of_the_file_and_missing_ones(tags, files):
    assert list(drift_of_tags(tags, files)) == [
        ("policy tag location", "outside", "group:old@example.com"),
        ("policy tag location", "outside", "user:bo@example.com"),
        ("policy tag location", "missing", "group:new@example.com"),
    ]


def test_no_tags_in_the_files_ask_nobody(files):
    unreachable = PolicyTags(requests.Session(), "http://127.0.0.1:9")
    assert apply_tags(unreachable, replace(files, policy_tags={}), dry_run=False) == []


def test_a_refusal_is_one_sentence(catalog, tags, files):
    catalog.refused = True
    with pytest.raises(NorenError, match=r"^Data Catalog refused POST .*policyTags/2:getIamPolicy: Permission denied$"):
        apply_tags(tags, files, dry_run=False)
