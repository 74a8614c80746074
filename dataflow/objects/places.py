"""An object store by the place where its objects lie."""

from pathlib import Path

from dataflow.errors import NorenError
from dataflow.objects.local import LocalObjects, Objects


def open_objects(place: str) -> Objects:
    """The object store at `place`: a directory, `gs://BUCKET/PREFIX` or `bigquery://PROJECT.DATASET.TABLE`.

    Raises NorenError when the place is none of these. Google's clients are imported only for their own places.
    """
    scheme, found, rest = place.partition("://")
    if not found:
        return LocalObjects(Path(place))
    if scheme == "gs" and rest.partition("/")[0]:
        from google.cloud.storage import Client

        from dataflow.objects.gcs import GcsObjects

        bucket, _, prefix = rest.partition("/")
        return GcsObjects(Client(), bucket, prefix)
    if scheme == "bigquery" and rest.count(".") == 2:
        from dataflow.clients import bigquery_client
        from dataflow.objects.table import TableObjects

        return TableObjects(bigquery_client(rest.partition(".")[0]), rest)
    raise NorenError(
        f"{place}: no place for objects; give a directory, gs://BUCKET/PREFIX or bigquery://PROJECT.DATASET.TABLE."
    )
