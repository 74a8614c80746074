"""What the gateway refuses, in BigQuery's own words and shape, so that clients raise what they raise in the cloud.

Body: https://cloud.google.com/bigquery/docs/error-messages
"""

from typing import Any

from iam.engine import Right, TableName

PERMISSIONS = {
    Right.METADATA: "bigquery.tables.get",
    Right.READ: "bigquery.tables.getData",
    Right.WRITE: "bigquery.tables.updateData",
    Right.OWN: "bigquery.datasets.update",
    Right.RUN_JOBS: "bigquery.jobs.create",
    Right.CREATE_DATASETS: "bigquery.datasets.create",
}
"""right -> the IAM permission that a message names"""


class RefusedError(Exception):
    """An answer that ends the request. Its message never quotes SQL text or rows."""

    def __init__(self, code: int, reason: str, status: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.status, self.message = code, reason, status, message

    def body(self) -> dict[str, Any]:
        error = {"message": self.message, "domain": "global", "reason": self.reason}
        return {"error": {"code": self.code, "message": self.message, "errors": [error], "status": self.status}}


def denied(message: str) -> RefusedError:
    return RefusedError(403, "accessDenied", "PERMISSION_DENIED", f"Access Denied: {message}")


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


def no_query(table: TableName) -> RefusedError:
    return denied(f"Table {table}: User does not have permission to query table {table}, or perhaps it does not exist.")


def no_table(table: TableName, right: Right) -> RefusedError:
    return denied(f"Table {table}: Permission {PERMISSIONS[right]} denied on table {table} (or it may not exist).")


def no_dataset(project: str, dataset: str, right: Right) -> RefusedError:
    permission = "bigquery.datasets.get" if right is Right.METADATA else PERMISSIONS[right]
    name = f"{project}:{dataset}"
    return denied(f"Dataset {name}: Permission {permission} denied on dataset {name} (or it may not exist).")


def no_project(project: str, right: Right) -> RefusedError:
    return denied(f"Project {project}: User does not have {PERMISSIONS[right]} permission in project {project}.")


def no_job(project: str, job: str) -> RefusedError:
    return denied(f"Job {project}:{job}: The job is not the caller's own, or it does not exist.")


def not_served(what: str) -> RefusedError:
    return denied(f"{what} is not served by the local gateway.")
