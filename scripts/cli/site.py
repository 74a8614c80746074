"""Where a pipeline finds its services: the local stack of a home, or Google Cloud."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dataflow.errors import NorenError
from dataflow.project import LOCAL_PROJECT_ID, Project

if TYPE_CHECKING:
    from google.cloud import bigquery

    from dataflow.contract import Contract
    from dataflow.keys import KeyRing
    from dataflow.sinks.base import Sink
    from dataflow.sinks.open import Name as SinkName
    from scripts.stack.endpoints import Endpoints

MOST_PAUSE_SECONDS = 5.0
"""Between two questions to a broker that is away at the start."""


@dataclass(frozen=True)
class Site:
    """project: of topics, datasets and jobs. home: journal, keys and records on this machine.

    stack: the local stack; None is Google Cloud: over TLS, with application default credentials.
    """

    project: str
    home: Path
    stack: "Endpoints | None" = None

    @property
    def pubsub(self) -> str | None:
        """host:port of the local broker; None is Pub/Sub itself."""
        return self.stack.pubsub if self.stack else None

    def client(self) -> "bigquery.Client":
        from dataflow.clients import bigquery_client

        return self.stack.warehouse_client() if self.stack else bigquery_client(self.project)

    def sink(self, name: "SinkName | None", owner: str) -> "Sink":
        """name: None for the default of the site. owner: whose write streams are recorded."""
        from dataflow.sinks.open import open_sink

        records = self.home / "streams"
        if self.stack is None:
            return open_sink(name, self.project, records, owner)
        return open_sink(
            name,
            self.project,
            records,
            owner,
            endpoint=self.stack.warehouse,
            storage_endpoint=self.stack.warehouse_grpc,
            secret=self.stack.secret,
        )

    def keys(self, *, new: bool = False) -> "KeyRing":
        """The key ring. new: make one where there is none; the local stack always does.

        Raises NorenError in the cloud where Cloud KMS does not wrap it, or there is none: a ring that is made on the
        spot gives tokens that join with nothing.
        """
        from dataflow.keys import KeyRing
        from dataflow.keys.wrapping import LOCAL, LOCAL_FILE, SETTING, configured

        directory = self.home / "keys"
        if self.stack is None:
            if LOCAL in configured(None):
                raise NorenError(f"{SETTING}: name the Cloud KMS key that wraps the keys; in the cloud no file does.")
            if not new and not any((directory / part).exists() for part in (LOCAL_FILE, "register")):
                raise NorenError(
                    f"{directory}: holds no key ring; mount the one of the deployment there, or make the first with "
                    "--new-keys."
                )
        return KeyRing.open(directory)

    def prepare(self, contract: "Contract", waiting: Callable[[str], None]) -> str:
        """The store's id, once the broker answers; on the local stack it gets its topics. In the cloud Terraform makes
        them, the first pull says what is missing, and the id is empty: Pub/Sub never numbers its messages anew.

        waiting: told once, in one sentence, when the broker is away. Raises NorenError for what does not pass.
        """
        if self.stack is None:
            return ""
        from scripts.stack.pubsub import statistics
        from scripts.stack.streams import LocalTopics

        pause = 0.1
        while True:
            try:
                store = str(statistics(self.stack.pubsub)["store_id"])
                with LocalTopics(self.project, self.stack.pubsub) as topics:
                    topics.ensure([contract])
                return store
            except NorenError as error:
                if not _away(error):
                    raise
            if pause == 0.1:
                waiting(f"{contract.stream}: the Pub/Sub server at {self.stack.pubsub} does not answer; waiting for it")
            time.sleep(pause)
            pause = min(2 * pause, MOST_PAUSE_SECONDS)

    def backlog(self, subscription: str) -> Callable[[], int] | None:
        """Asks how many messages of the subscription (its full path) are not acknowledged; None where nobody says: in
        the cloud Monitoring does, as num_undelivered_messages."""
        if self.stack is None:
            return None
        from scripts.stack.pubsub import statistics

        endpoint = self.stack.pubsub
        return lambda: int(statistics(endpoint, 2)["subscriptions"][subscription]["unacknowledged"])


def local(home: Path) -> Site:
    """Raises NorenError when no stack runs in `home`."""
    from scripts.stack import endpoints

    stack = endpoints.load(home)
    return Site(stack.project_id, home, stack)


def cloud(project: Project, home: Path) -> Site:
    """Raises NorenError where nobody says which project it is, or there are no credentials."""
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    if project.id == LOCAL_PROJECT_ID:
        raise NorenError("--cloud: which project? Set NOREN_PROJECT.")
    try:
        google.auth.default()
    except DefaultCredentialsError as error:
        raise NorenError(
            "--cloud: there are no application default credentials: `gcloud auth application-default login`."
        ) from error
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Site(project.id, home)


def site(project: Project, home: Path | None, *, in_cloud: bool) -> Site:
    """The site of the options; home: None for .noren/local or .noren/cloud of the project."""
    place = (home or project.state / ("cloud" if in_cloud else "local")).resolve()
    return cloud(project, place) if in_cloud else local(place)


def _away(error: NorenError) -> bool:
    """Whether the broker may answer later."""
    import grpc

    cause = error.__cause__
    return isinstance(cause, grpc.RpcError) and cause.code() in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
    )
