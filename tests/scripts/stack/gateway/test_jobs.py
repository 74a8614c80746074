"""A job and its result belong to who asked; nobody else sees either."""

import uuid

import pytest
from google.api_core.exceptions import Conflict, Forbidden
from google.cloud import bigquery

ADMIN, ANALYST, ENGINEER, BUSINESS = "ada@example.com", "ana@example.com", "eng@example.com", "bo@example.com"
DBT = "dbt@noren-test.iam.gserviceaccount.com"
TOKENS = "SELECT user_token FROM anonymized__app.app_event ORDER BY 1"


@pytest.fixture
def job(as_):
    """The analyst's job, done."""
    job = as_(ANALYST).query(TOKENS)
    job.result()
    return job


def test_the_caller_gets_rows_job_and_result_table(as_, job):
    client = as_(ANALYST)
    assert [row[0] for row in job.result()] == ["t1", "t2"]
    assert client.get_job(job.job_id).state == "DONE"
    assert client.get_table(job.destination).num_rows == 2
    assert [row[0] for row in client.list_rows(job.destination, selected_fields=job.schema)] == ["t1", "t2"]


@pytest.mark.parametrize("where", ["/jobs/{id}", "/queries/{id}", "/queries/{id}?maxResults=1"])
def test_somebody_elses_job_is_refused(call, job, where):
    for person in (ENGINEER, BUSINESS, ADMIN):
        answer = call(person, "GET", where.format(id=job.job_id))
        assert answer.status_code == 403
        assert "t1" not in answer.text


def test_somebody_elses_job_is_neither_cancelled_nor_deleted(call, job):
    assert call(ENGINEER, "POST", f"/jobs/{job.job_id}/cancel").status_code == 403
    assert call(ENGINEER, "DELETE", f"/jobs/{job.job_id}/delete").status_code == 403


@pytest.mark.parametrize("path", ["", "/data"])
def test_the_result_table_of_somebody_else_is_refused(call, job, path):
    where = f"/datasets/{job.destination.dataset_id}/tables/{job.destination.table_id}{path}"
    assert call(ANALYST, "GET", where).status_code == 200
    assert call(ENGINEER, "GET", where).status_code == 403


def test_the_result_table_of_somebody_else_cannot_be_queried_or_copied(call, as_, job):
    name = f"{job.destination.dataset_id}.{job.destination.table_id}"
    with pytest.raises(Forbidden):
        as_(ENGINEER).query(f"SELECT * FROM `{name}`").result()
    source = {"projectId": "noren-test", "datasetId": job.destination.dataset_id, "tableId": job.destination.table_id}
    copy = {"sourceTable": source, "destinationTable": {**source, "datasetId": "marts__product", "tableId": "x"}}
    assert call(DBT, "POST", "/jobs", json={"configuration": {"copy": copy}}).status_code == 403


def test_a_job_id_of_somebody_else_is_not_taken_over(as_, job):
    with pytest.raises(Conflict):
        as_(ENGINEER).query("SELECT 1", job_id=job.job_id, job_retry=None)
    with pytest.raises(Forbidden):
        as_(ENGINEER).get_job(job.job_id)
    assert as_(ANALYST).get_job(job.job_id).job_id == job.job_id


def test_a_job_that_was_made_around_the_gateway_belongs_to_nobody(admin, call):
    outside = admin.query("SELECT 'hush' AS secret")
    outside.result()
    taken = {"configuration": {"query": {"query": "SELECT 1"}}, "jobReference": {"jobId": outside.job_id}}
    assert call(ENGINEER, "POST", "/jobs", json=taken).status_code == 409
    assert call(ENGINEER, "GET", f"/queries/{outside.job_id}").status_code == 403


@pytest.mark.parametrize("name", ["script_job_x_0", "a/../b", "a b", ""])
def test_a_job_id_that_could_be_something_else_is_refused(call, name):
    body = {"configuration": {"query": {"query": "SELECT 1"}}, "jobReference": {"jobId": name}}
    assert call(ANALYST, "POST", "/jobs", json=body).status_code == 400
    request = {"query": "SELECT 1", "useLegacySql": False, "requestId": name}
    assert call(ANALYST, "POST", "/queries", json=request).status_code == 400


def test_the_statements_of_a_script_belong_to_who_ran_it(as_, call):
    job = as_(ANALYST).query("DECLARE n INT64 DEFAULT 1; SELECT user_token, n FROM warehouse__app.events")
    assert job.result().total_rows == 2
    child = next(iter(as_(ANALYST).list_jobs(parent_job=job.job_id)))
    assert as_(ANALYST).get_job(child.job_id).parent_job_id == job.job_id
    assert call(ENGINEER, "GET", f"/jobs/{child.job_id}").status_code == 403
    assert call(ENGINEER, "GET", f"/jobs?parentJobId={job.job_id}").status_code == 403


def test_the_list_of_jobs_has_ones_own_only(as_, job):
    assert job.job_id in {found.job_id for found in as_(ANALYST).list_jobs()}
    assert job.job_id not in {found.job_id for found in as_(ENGINEER).list_jobs()}


def test_a_result_is_still_there_after_access_is_gone_but_the_query_is_not(as_, admin, job):
    """As in BigQuery: an anonymous result stays readable to who made it, for a day."""
    dataset = admin.get_dataset("anonymized__app")
    before = dataset.access_entries
    dataset.access_entries = [entry for entry in before if entry.entity_id != "analysts@example.com"]
    admin.update_dataset(dataset, ["access_entries"])
    try:
        assert call_until_refused(as_(ANALYST))
        assert [row[0] for row in job.result()] == ["t1", "t2"]
    finally:
        dataset = admin.get_dataset("anonymized__app")
        dataset.access_entries = before
        admin.update_dataset(dataset, ["access_entries"])
    assert as_(ANALYST).query(TOKENS).result().total_rows == 2  # a grant holds at once


def call_until_refused(client: bigquery.Client, seconds: float = 5) -> bool:
    """A yes may be a second old: see scripts/stack/gateway/catalogue.py."""
    import time

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            client.query(TOKENS).result()
        except Forbidden:
            return True
        time.sleep(0.2)
    return False


def test_query_and_wait_reads_pages(as_):
    rows = as_(ANALYST).query_and_wait("SELECT n FROM UNNEST(GENERATE_ARRAY(1, 25)) AS n", page_size=10)
    assert sorted(row[0] for row in rows) == list(range(1, 26))


def test_query_parameters_are_bound(as_):
    config = bigquery.QueryJobConfig(query_parameters=[bigquery.ScalarQueryParameter("t", "STRING", "t1")])
    sql = "SELECT count(*) FROM warehouse__app.events WHERE user_token = @t"
    assert [row[0] for row in as_(ANALYST).query(sql, job_config=config).result()] == [1]


def test_a_dry_run_names_the_view_and_makes_no_job(as_):
    job = as_(ANALYST).query("SELECT * FROM warehouse__app.events", job_config=bigquery.QueryJobConfig(dry_run=True))
    assert [table.table_id for table in job.referenced_tables] == ["events"]
    assert job.total_bytes_processed is not None


def test_a_syntax_error_is_one(call):
    answer = call(ANALYST, "POST", "/queries", json={"query": "SELEC 1 FRM", "useLegacySql": False})
    assert answer.status_code in (400, 403)
    answer = call(ANALYST, "POST", "/queries", json={"query": "SELECT (", "useLegacySql": False})
    assert answer.status_code == 400
    assert answer.json()["error"]["errors"][0]["reason"] == "invalidQuery"


def test_an_unknown_column_is_the_emulators_error(call):
    answer = call(ANALYST, "POST", "/queries", json={"query": "SELECT nope FROM warehouse__app.events"})
    assert answer.status_code == 400
    assert "nope" in answer.json()["error"]["message"]


def test_a_missing_table_in_a_dataset_that_one_may_read_is_not_found(call):
    answer = call(ANALYST, "POST", "/queries", json={"query": "SELECT * FROM warehouse__app.nope"})
    assert answer.status_code == 404


def test_the_caller_is_who_the_session_user_is(as_):
    assert [row[0] for row in as_(ANALYST).query("SELECT SESSION_USER()").result()] == [ANALYST]


def test_a_destination_table_is_written_by_who_may_write_there(as_, admin):
    table = f"noren-test.marts__product.t{uuid.uuid4().hex}"
    config = bigquery.QueryJobConfig(destination=table)
    as_(DBT).query("SELECT 1 AS x", job_config=config).result()
    assert [row[0] for row in as_(BUSINESS).query(f"SELECT x FROM `{table}`").result()] == [1]
    admin.delete_table(table)
