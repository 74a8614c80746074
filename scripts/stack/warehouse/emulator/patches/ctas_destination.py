"""A CREATE TABLE AS SELECT job names the table that it made as its destination.

Without it every table, incremental and snapshot model of dbt-bigquery fails with `'NoneType' object has no
attribute 'path'`: after such a job dbt asks for its destination table. BigQuery reports it in
`configuration.query.destinationTable` (https://cloud.google.com/bigquery/docs/reference/rest/v2/Job), and its result
has no rows.
"""

import argparse
from typing import Any

from local_bigquery.api import jobs as api
from local_bigquery.jobs import runner

CTAS = "CREATE_TABLE_AS_SELECT"


def apply(options: argparse.Namespace) -> None:  # noqa: ARG001
    query, results = runner._query, api.results

    def with_destination(job: Any, session: Any, running: Any) -> Any:
        statistics = query(job, session, running)
        if statistics.query.statementType == CTAS:
            job.configuration.query.destinationTable = statistics.query.ddlTargetTable
        return statistics

    def without_rows(job: Any, *page: Any) -> Any:
        done = job.statistics.query
        if done and done.statementType == CTAS:
            configuration = job.configuration
            job = job.replace(
                configuration=configuration.replace(query=configuration.query.without("destinationTable"))
            )
        return results(job, *page)

    runner._query, api.results = with_destination, without_rows
