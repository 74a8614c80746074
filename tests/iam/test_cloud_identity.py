"""Members from Cloud Identity: a server of its shape on this machine, asked by Google's own client."""

import stat
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from google.auth.credentials import AnonymousCredentials

from dataflow.errors import NorenError
from iam import cloud_identity
from iam.cloud_identity import Directory, with_members
from iam.groups import Group, Groups
from tests.http_server import Answering, serving

MEMBERS = {
    "analysts@example.com": [("ana@example.com", "USER"), ("Interns@example.com", "GROUP"), ("bo@example.com", "USER")],
    "interns@example.com": [("ian@example.com", "USER")],
}
WRITTEN = Groups([Group("analysts@example.com", "analysis", "", "", members=frozenset({"written@example.com"}))])


class Server(ThreadingHTTPServer):
    """asked: paths of requests. refused: answer 403. Pages hold two memberships."""

    asked: list[str]
    refused = False


class Handler(Answering):
    server: Server

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        params = parse_qs(url.query)
        self.server.asked.append(url.path)
        if self.server.refused:
            self.answer(403, {"error": {"code": 403, "message": "no"}})
        elif url.path == "/v1/groups:lookup":
            group = params["groupKey.id"][0]
            known = group in MEMBERS
            self.answer(200 if known else 404, {"name": f"groups/{group}"} if known else {"error": {"code": 404}})
        else:
            members = MEMBERS[unquote(url.path).split("/")[3]]
            start = int(params.get("pageToken", ["0"])[0])
            page = [{"preferredMemberKey": {"id": who}, "type": kind} for who, kind in members[start : start + 2]]
            more = {"nextPageToken": str(start + 2)} if start + 2 < len(members) else {}
            self.answer(200, {"memberships": page, **more})


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server(("127.0.0.1", 0), Handler)
    running.asked = []
    with serving(running):
        yield running


@pytest.fixture
def directory(server: Server) -> Directory:
    return Directory(f"http://127.0.0.1:{server.server_port}", AnonymousCredentials())


def test_members_come_from_all_pages_and_from_groups_within_groups(directory, tmp_path):
    groups = with_members(WRITTEN, tmp_path, directory)
    assert groups.individuals() == {"ana@example.com", "bo@example.com", "ian@example.com"}
    assert groups.of("ian@example.com") == {"interns@example.com", "analysts@example.com"}
    assert groups.get("analysts@example.com").kind == "analysis"


def test_an_answer_is_kept_for_an_hour_and_read_by_its_owner_alone(server, directory, tmp_path, monkeypatch):
    with_members(WRITTEN, tmp_path, directory)
    asked = len(server.asked)
    assert with_members(WRITTEN, tmp_path, directory).of("ana@example.com") == {"analysts@example.com"}
    assert len(server.asked) == asked
    [kept] = tmp_path.iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    monkeypatch.setattr(cloud_identity, "KEPT_SECONDS", 0)
    with_members(WRITTEN, tmp_path, directory)
    assert len(server.asked) == 2 * asked


def test_a_group_that_the_directory_does_not_know_has_no_members(directory, tmp_path):
    groups = with_members(Groups([Group("ghosts@example.com", "", "", "")]), tmp_path, directory)
    assert groups.people("ghosts@example.com") == frozenset()


def test_a_refusal_is_one_sentence_and_keeps_nothing(server, directory, tmp_path):
    server.refused = True
    with pytest.raises(NorenError, match=r"does not tell the members of analysts@example\.com \(HTTP 403\)"):
        with_members(WRITTEN, tmp_path, directory)
    assert list(tmp_path.iterdir()) == []
