"""Datasets, tables and rows through the client's own methods, and uploads."""

import io
import json

import pytest
from google.api_core.exceptions import BadRequest, Forbidden, NotFound, PreconditionFailed
from google.cloud import bigquery

ADMIN, ANALYST, BUSINESS, OUTSIDER = "ada@example.com", "ana@example.com", "bo@example.com", "oz@example.com"
DBT = "dbt@noren-test.iam.gserviceaccount.com"
WORKER = "anonymizer@noren-test.iam.gserviceaccount.com"
APPLIER = "acl-applier@noren-test.iam.gserviceaccount.com"

VISIBLE = {
    BUSINESS: {"marts__product", "marts__places"},
    "dpo@example.com": {"dead_letter", "operations"},
    OUTSIDER: set(),
    ANALYST: {
        "anonymized__app",
        "anonymized__places",
        "warehouse__app",
        "warehouse__places",
        "marts__product",
        "marts__places",
    },
}


@pytest.mark.parametrize("who", VISIBLE)
def test_a_list_of_datasets_has_those_that_one_may_see(as_, who):
    assert {dataset.dataset_id for dataset in as_(who).list_datasets()} == VISIBLE[who]


def test_tables_are_listed_and_described_to_readers(as_):
    assert {table.table_id for table in as_(BUSINESS).list_tables("marts__product")} >= {"daily_active_users"}
    assert [field.name for field in as_(ANALYST).get_table("anonymized__app.app_event").schema] == ["user_token", "day"]


def test_a_table_that_is_missing_is_not_found_for_readers(as_):
    with pytest.raises(NotFound):
        as_(ANALYST).get_table("anonymized__app.nope")


def test_who_may_create_datasets_hears_that_one_is_missing_and_others_do_not(as_):
    with pytest.raises(NotFound):
        as_(APPLIER).get_dataset("nope")
    with pytest.raises(Forbidden):
        as_(ANALYST).get_dataset("nope")


def test_rows_of_a_table_are_listed_and_those_of_a_view_are_not(as_):
    schema = [bigquery.SchemaField("user_token", "STRING"), bigquery.SchemaField("day", "DATE")]
    table = bigquery.Table("noren-test.anonymized__app.app_event", schema)
    assert sorted(row[0] for row in as_(ANALYST).list_rows(table)) == ["t1", "t2"]
    view = bigquery.Table("noren-test.warehouse__app.events", schema)
    with pytest.raises(BadRequest, match="Cannot list a table of type VIEW"):
        list(as_(ANALYST).list_rows(view))


def test_rows_are_not_listed_past_a_row_access_policy(as_, admin, call):
    admin.query("CREATE TABLE anonymized__app.guarded (x STRING)").result()
    admin.query("INSERT INTO anonymized__app.guarded VALUES ('a')").result()
    where = "/datasets/anonymized__app/tables/guarded"
    assert call(ANALYST, "GET", f"{where}/data").json()["totalRows"] == "1"
    policy = {
        "rowAccessPolicyReference": {"policyId": "p"},
        "filterPredicate": "x = 'b'",
        "grantees": [f"user:{ANALYST}"],
    }
    assert call(ADMIN, "POST", f"{where}/rowAccessPolicies", json=policy).status_code == 200
    assert call(ANALYST, "GET", f"{where}/data").status_code == 403
    assert as_(ANALYST).query("SELECT * FROM anonymized__app.guarded").result().total_rows == 0
    admin.query("DROP ALL ROW ACCESS POLICIES ON anonymized__app.guarded").result()  # they would outlive the table
    admin.delete_table("anonymized__app.guarded")


def test_a_filter_with_a_subquery_is_refused_even_to_an_owner(call):
    policy = {
        "rowAccessPolicyReference": {"policyId": "p"},
        "filterPredicate": "EXISTS (SELECT 1 FROM raw__app.app_event)",
        "grantees": ["allAuthenticatedUsers"],
    }
    where = "/datasets/anonymized__app/tables/app_event/rowAccessPolicies"
    assert call(ADMIN, "POST", where, json=policy).status_code == 403


def test_a_writer_makes_changes_and_deletes_tables(as_):
    client = as_(DBT)
    table = bigquery.Table("noren-test.marts__product.made", [bigquery.SchemaField("x", "INT64")])
    made = client.create_table(table)
    made.description = "A table."
    made = client.update_table(made, ["description"])
    assert client.get_table(made).description == "A table."
    assert client.insert_rows_json(made, [{"x": 1}, {"x": 2}]) == []
    assert client.query("SELECT sum(x) FROM marts__product.made").result().to_dataframe is not None
    client.delete_table(made)
    with pytest.raises(NotFound):
        client.get_table(made)


def test_a_writer_makes_a_view_of_what_the_writer_reads(as_, admin):
    view = bigquery.Table("noren-test.marts__product.seen")
    view.view_query = "SELECT user_token FROM `noren-test`.anonymized__app.app_event"
    as_(DBT).create_table(view)
    with pytest.raises(Forbidden, match=r"anonymized__app\.app_event"):  # nobody authorized it there
        as_(BUSINESS).query("SELECT * FROM marts__product.seen").result()
    assert as_(ANALYST).query("SELECT * FROM marts__product.seen").result().total_rows == 2
    admin.delete_table(view)


def test_a_definition_that_stays_may_be_sent_back(as_):
    table = as_(DBT).get_table("marts__product.top_screens")
    table.description = "Screens."
    assert as_(DBT).update_table(table, ["description", "view_query"]).description == "Screens."


def test_an_owner_changes_a_dataset_if_it_is_the_one_that_was_read(as_, call):
    client = as_(ADMIN)
    dataset = client.get_dataset("operations")
    dataset.description = "Metrics."
    changed = client.update_dataset(dataset, ["description"])
    assert changed.description == "Metrics."
    dataset.description = "Late."
    with pytest.raises(PreconditionFailed):
        client.update_dataset(dataset, ["description"])


def test_an_owner_cannot_leave_a_dataset_without_entries(call):
    assert call(ADMIN, "PATCH", "/datasets/operations", json={"access": []}).status_code == 400
    assert call(ADMIN, "PUT", "/datasets/operations", json={"description": "x"}).status_code == 400


def test_who_creates_a_dataset_owns_it(as_):
    client = as_(APPLIER)
    made = client.create_dataset("fresh")
    assert [(e.role, e.entity_id) for e in made.access_entries] == [("OWNER", APPLIER)]
    client.delete_dataset("fresh")


def test_a_file_is_uploaded_by_a_writer_whole_and_in_chunks(as_, admin):
    config = bigquery.LoadJobConfig(
        source_format="CSV", schema=[bigquery.SchemaField("name", "STRING"), bigquery.SchemaField("value", "INT64")]
    )
    for size in (None, 8):  # resumable, and multipart
        job = as_(WORKER).load_table_from_file(
            io.BytesIO(b"a,1\nb,2\n"), "operations.uploaded", job_config=config, size=size
        )
        assert job.result().output_rows == 2
    assert as_(WORKER).query("SELECT sum(value) FROM operations.uploaded").result().total_rows == 1
    admin.delete_table("operations.uploaded")


def test_a_file_is_not_uploaded_by_a_reader(as_):
    config = bigquery.LoadJobConfig(source_format="CSV", autodetect=True)
    with pytest.raises(Forbidden):
        as_(ANALYST).load_table_from_file(io.BytesIO(b"a,1\n"), "warehouse__app.mine", job_config=config)


def test_an_upload_is_continued_by_who_began_it_only(call):
    job = {
        "configuration": {
            "load": {
                "destinationTable": {"projectId": "noren-test", "datasetId": "operations", "tableId": "half"},
                "sourceFormat": "CSV",
            }
        }
    }
    begun = call(WORKER, "POST", "/jobs?uploadType=resumable", json=job, base="/upload/bigquery/v2/projects/noren-test")
    assert begun.status_code == 200
    where = begun.headers["location"].partition("/upload/")[2]
    assert call(ANALYST, "PUT", f"/{where}", content=b"a,1\n", base="/upload").status_code == 404


def test_a_load_job_in_an_upload_is_checked_as_it_is_sent_on(call):
    """Two parts that describe a job: the one that is checked is the one that runs, or none."""

    def job(dataset: str) -> str:
        return json.dumps({"configuration": {"load": {"destinationTable": {"datasetId": dataset, "tableId": "x"}}}})

    parts = [job("operations"), job("raw__app"), "a,1"]
    body = "".join(f"--b\r\nContent-Type: application/json\r\n\r\n{part}\r\n" for part in parts) + "--b--\r\n"
    headers = {"content-type": "multipart/related; boundary=b"}
    answer = call(
        "dpo@example.com",
        "POST",
        "/jobs?uploadType=multipart",
        content=body,
        headers=headers,
        base="/upload/bigquery/v2/projects/noren-test",
    )
    assert answer.status_code == 400


def test_a_query_is_no_upload(call):
    body = {"configuration": {"query": {"query": "SELECT 1"}}}
    answer = call(
        ANALYST, "POST", "/jobs?uploadType=resumable", json=body, base="/upload/bigquery/v2/projects/noren-test"
    )
    assert answer.status_code == 400


def test_metadata_of_a_dataset_is_for_its_readers(as_):
    sql = "SELECT table_name FROM marts__product.INFORMATION_SCHEMA.TABLES"
    assert "daily_active_users" in {row[0] for row in as_(BUSINESS).query(sql).result()}
    with pytest.raises(Forbidden):
        as_(BUSINESS).query(sql.replace("marts__product", "warehouse__app")).result()


def test_a_wildcard_asks_for_the_rights_of_what_it_matches(as_, admin):
    for day in (1, 2):
        admin.query(f"CREATE TABLE anonymized__app.daily_{day} AS SELECT {day} AS n").result()
    assert as_(ANALYST).query("SELECT * FROM `anonymized__app.daily_*`").result().total_rows == 2
    with pytest.raises(Forbidden):
        as_(BUSINESS).query("SELECT * FROM `anonymized__app.daily_*`").result()
    for day in (1, 2):
        admin.delete_table(f"anonymized__app.daily_{day}")


def test_a_gzipped_body_is_read_and_one_that_is_none_refused(call):
    import gzip

    body = gzip.compress(b'{"query": "SELECT 1 AS x", "useLegacySql": false}')
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    assert call(ANALYST, "POST", "/queries", content=body, headers=headers).status_code == 200
    assert call(ANALYST, "POST", "/queries", content=b"no gzip", headers=headers).status_code == 400
    closed = gzip.compress(b'{"query": "SELECT * FROM raw__app.app_event", "useLegacySql": false}')
    assert call(ANALYST, "POST", "/queries", content=closed, headers=headers).status_code == 403


def test_a_key_that_is_given_twice_is_the_one_that_is_checked(call):
    body = '{"query": "SELECT 1 AS x", "query": "SELECT * FROM raw__app.app_event", "useLegacySql": false}'
    assert call(ANALYST, "POST", "/queries", content=body).status_code == 403
    body = '{"query": "SELECT * FROM raw__app.app_event", "query": "SELECT 1 AS x", "useLegacySql": false}'
    assert call(ANALYST, "POST", "/queries", content=body).json()["rows"] == [{"f": [{"v": "1"}]}]


def test_the_description_of_the_api_names_the_gateway(stack, call):
    document = call(ANALYST, "GET", "/discovery/v1/apis/bigquery/v2/rest", base="").json()
    assert document["rootUrl"] == f"{stack.gateway}/"


def test_neither_sql_nor_rows_are_logged(stack, as_):
    as_(ANALYST).query("SELECT 'marker-in-sql', user_token FROM warehouse__app.events").result()
    with pytest.raises(Forbidden):
        as_(ANALYST).query("EXECUTE IMMEDIATE 'marker-in-sql'").result()
    log = stack.home.log("gateway").read_text()
    assert ANALYST in log
    assert "marker-in-sql" not in log
    assert "SELECT" not in log
