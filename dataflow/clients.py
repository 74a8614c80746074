"""BigQuery's client: the ordinary one in the cloud, a light one for an endpoint of the local stack."""

from typing import TYPE_CHECKING
from urllib.parse import urlparse

from dataflow.channels import is_loopback
from dataflow.errors import NorenError

if TYPE_CHECKING:
    from google.cloud import bigquery

STACK_HEADER = "x-noren-stack"
"""Header (REST) and metadata key (gRPC) with the local stack's secret: the emulator refuses every call without it."""


def bigquery_client(project: str, endpoint: str | None = None, secret: str | None = None) -> "bigquery.Client":
    """A client of google-cloud-bigquery.

    project: the project of datasets and jobs.
    endpoint: base URL of a local emulator, e.g. http://127.0.0.1:9050; None is BigQuery itself with application default
        credentials. With an endpoint no credentials are looked up and no proxy or .netrc of the machine is used.
    secret: sent in `x-noren-stack` with every request to the endpoint.

    Raises ValueError for a secret without an endpoint: it would go to Google. Raises NorenError for an endpoint without
    TLS that is not on this machine.
    """
    from google.cloud import bigquery  # a second of imports: only for those who ask

    if endpoint is None:
        if secret is not None:
            raise ValueError("a secret of the local stack is sent to an endpoint of the local stack only")
        return bigquery.Client(project=project)
    _require_local(endpoint)
    from google.auth.credentials import AnonymousCredentials
    from google.auth.transport.requests import AuthorizedSession

    # an AuthorizedSession, though there is nothing to authorize: the client's close() wants one
    session = AuthorizedSession(AnonymousCredentials())
    session.trust_env = False
    if secret is not None:
        session.headers[STACK_HEADER] = secret
    return bigquery.Client(
        project=project,
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": endpoint},
        _http=session,
    )


def _require_local(endpoint: str) -> None:
    where = urlparse(endpoint)
    if where.scheme != "https" and not is_loopback(where.hostname or ""):
        raise NorenError(f"{endpoint}: is not on this machine; use https, or http://127.0.0.1:PORT.")
