"""What the gateway refuses, in BigQuery's own words and shape, so that clients raise what they raise in the cloud.

Body: https://cloud.google.com/bigquery/docs/error-messages
"""

from typing import Any

from iam.engine.denials import DENIED


class RefusedError(Exception):
    """An answer that ends the request. Its message never quotes SQL text or rows."""

    def __init__(self, code: int, reason: str, status: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.status, self.message = code, reason, status, message

    def body(self) -> dict[str, Any]:
        error = {"message": self.message, "domain": "global", "reason": self.reason}
        return {"error": {"code": self.code, "message": self.message, "errors": [error], "status": self.status}}


def refused(denial: str) -> RefusedError:
    """In the words of iam.engine.denials."""
    return RefusedError(403, "accessDenied", "PERMISSION_DENIED", denial)


def denied(message: str) -> RefusedError:
    return refused(f"{DENIED}{message}")


def unauthenticated() -> RefusedError:
    message = (
        "Request is missing required authentication credential. "
        "Expected a token of this stack: make one with `noren token --as EMAIL`."
    )
    return RefusedError(401, "authError", "UNAUTHENTICATED", message)


def invalid(message: str, reason: str = "invalid") -> RefusedError:
    return RefusedError(400, reason, "INVALID_ARGUMENT", message)


def not_found(what: str) -> RefusedError:
    return RefusedError(404, "notFound", "NOT_FOUND", f"Not found: {what}")


def no_job(project: str, job: str) -> RefusedError:
    return denied(f"Job {project}:{job}: The job is not the caller's own, or it does not exist.")


def not_served(what: str) -> RefusedError:
    return denied(f"{what} is not served by the local gateway.")
