"""A sink by its name."""

from pathlib import Path
from typing import Literal

from dataflow.clients import bigquery_client
from dataflow.objects import LocalObjects
from dataflow.sinks.base import Sink
from dataflow.sinks.load import LoadSink
from dataflow.sinks.patience import Patience
from dataflow.sinks.storage_write import Records, StorageWriteSink, finalize_recorded
from dataflow.sinks.write_service import WriteService

Name = Literal["load", "storage-write"]


def default(endpoint: str | None) -> Name:
    """Load jobs on the local emulator, where they are 40 times cheaper; the Storage Write API in the cloud, where jobs
    are counted."""
    return "storage-write" if endpoint is None else "load"


def open_sink(
    name: Name | None,
    project: str,
    directory: Path,
    owner: str,
    *,
    endpoint: str | None = None,
    storage_endpoint: str | None = None,
    secret: str | None = None,
) -> Sink:
    """The sink of one pipeline.

    name: None for the default.
    directory, owner: where the names of open write streams are kept, and under which name: of one pipeline at a time.
    endpoint, storage_endpoint, secret: of the local emulator's REST and gRPC; None for BigQuery itself.
    """
    patience = Patience()
    service = WriteService(storage_endpoint, secret)
    records = Records(LocalObjects(directory), owner)
    # whichever sink it is, an earlier process may have used the other
    load = LoadSink(
        bigquery_client(project, endpoint, secret),
        patience,
        settle_streams=lambda table: finalize_recorded(service, records, table, patience),
    )
    if (name or default(endpoint)) == "load":
        return load
    return StorageWriteSink(service, load, records, project, patience)
