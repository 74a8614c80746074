"""A BigQuery client of a running stack that asks as one person or service account, through the gateway."""

from typing import TYPE_CHECKING

from scripts.stack.endpoints import Endpoints
from scripts.stack.tokens import Tokens

if TYPE_CHECKING:
    from google.cloud import bigquery


def caller_client(stack: Endpoints, email: str) -> "bigquery.Client":
    """An ordinary google-cloud-bigquery client whose token names `email`. No proxy or .netrc of the machine is used."""
    from google.auth.transport.requests import AuthorizedSession  # a second of imports: only for those who ask
    from google.cloud import bigquery
    from google.oauth2.credentials import Credentials

    credentials = Credentials(Tokens(stack.home.root).issue(email))
    session = AuthorizedSession(credentials)
    session.trust_env = False
    return bigquery.Client(
        project=stack.project_id,
        credentials=credentials,
        client_options={"api_endpoint": stack.gateway},
        _http=session,
    )
