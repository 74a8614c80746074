"""Who approved a pull request, from the review API's answer: `GET /repos/OWNER/NAME/pulls/N/reviews`
(https://docs.github.com/en/rest/pulls/reviews#list-reviews-for-a-pull-request)."""

import json
from pathlib import Path
from typing import Any

from dataflow.errors import NorenError

NEEDED = 2

INSIDERS = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
"""`author_association` of those whose review counts: on a public repository anybody may press "approve"."""

DECIDING = frozenset({"APPROVED", "CHANGES_REQUESTED", "DISMISSED"})
"""States that replace a person's earlier one. A comment does not: an answer in a thread is a review of its own."""


def read_approvals(path: Path, author: str, head: str | None = None) -> list[str]:
    """Logins of those whose latest decision is an approval, sorted.

    path: the answer as a file; a list of pages is taken too. author: login of who opened the pull request, who does not
    count.
    head: commit that is published; an approval of another commit does not count then.
    Raises NorenError when the file is not such an answer.
    """
    try:
        document = json.loads(path.read_bytes())
        return approvals(document, author, head)
    except OSError as error:
        raise NorenError(f"{path}: cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NorenError(f"{path.name}: is no list of reviews as GET /pulls/N/reviews answers it.") from error


def approvals(document: Any, author: str, head: str | None = None) -> list[str]:
    """The same of the parsed answer. Raises KeyError, TypeError or AttributeError when it is none."""
    if not isinstance(document, list):
        raise TypeError("not a list")
    reviews = [review for page in document for review in (page if isinstance(page, list) else [page])]
    latest: dict[str, dict[str, Any]] = {}
    for review in sorted(reviews, key=lambda review: (review.get("submitted_at") or "", review["id"])):
        if review["user"] is None:
            continue  # the account is deleted
        if review["state"] in DECIDING:
            latest[review["user"]["login"].lower()] = review
    return sorted(
        review["user"]["login"]
        for login, review in latest.items()
        if review["state"] == "APPROVED"
        and login != author.lower()
        and review["user"].get("type") == "User"
        and review.get("author_association") in INSIDERS
        and (head is None or review.get("commit_id") == head)
    )
