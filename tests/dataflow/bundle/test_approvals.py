"""Whose review counts."""

import json
from pathlib import Path
from typing import Any

import pytest

from dataflow.bundle.approvals import approvals, read_approvals
from dataflow.errors import NorenError

HEAD = "a" * 40


def review(number: int, login: str, state: str = "APPROVED", **more: Any) -> dict[str, Any]:
    """A review as GitHub answers it, `number` minutes into the hour."""
    return {
        "id": number,
        "user": {"login": login, "type": more.pop("type", "User")},
        "body": "",
        "state": state,
        "submitted_at": f"2026-11-21T00:{number:02d}:00Z",
        "commit_id": HEAD,
        "author_association": "MEMBER",
        **more,
    }


@pytest.mark.parametrize(
    ("reviews", "expected"),
    [
        ([review(1, "bo"), review(2, "cy")], ["bo", "cy"]),
        ([review(1, "bo"), review(2, "bo")], ["bo"]),
        ([review(1, "bo"), review(2, "Bo")], ["Bo"]),
        ([review(1, "ana"), review(2, "Ana"), review(3, "bo")], ["bo"]),
        ([review(1, "bo"), review(2, "bo", "CHANGES_REQUESTED")], []),
        ([review(1, "bo", "CHANGES_REQUESTED"), review(2, "bo")], ["bo"]),
        ([review(2, "bo"), review(1, "bo", "CHANGES_REQUESTED")], ["bo"]),
        ([review(1, "bo", "DISMISSED")], []),
        ([review(1, "bo"), review(2, "bo", "DISMISSED")], []),
        ([review(1, "bo"), review(2, "bo", "COMMENTED")], ["bo"]),
        ([review(1, "bo", "COMMENTED"), review(2, "cy", "PENDING", submitted_at=None)], []),
        ([review(1, "bo", author_association="NONE"), review(2, "cy", author_association="CONTRIBUTOR")], []),
        ([review(1, "renovate[bot]", type="Bot")], []),
        ([review(1, "bo", commit_id="b" * 40), review(2, "cy")], ["cy"]),
        ([{**review(1, "bo"), "user": None}, review(2, "cy")], ["cy"]),
        ([[review(1, "bo")], [review(2, "cy")]], ["bo", "cy"]),
        ([], []),
    ],
)
def test_the_latest_decision_of_each_insider_but_the_author_counts(reviews: Any, expected: list[str]) -> None:
    assert approvals(reviews, "ana", HEAD) == expected


def test_without_a_head_approvals_of_any_commit_count(tmp_path: Path) -> None:
    (tmp_path / "reviews.json").write_text(json.dumps([review(1, "bo", commit_id="b" * 40)]))
    assert read_approvals(tmp_path / "reviews.json", "ana") == ["bo"]


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"id": 1}]', '{"message": "Bad credentials"}'])
def test_another_answer_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "reviews.json").write_text(text)
    with pytest.raises(NorenError, match=r"^reviews.json: is no list of reviews as GET /pulls/N/reviews answers it.$"):
        read_approvals(tmp_path / "reviews.json", "ana")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NorenError, match=r"reviews.json: cannot be read: No such file or directory.$"):
        read_approvals(tmp_path / "reviews.json", "ana")
