"""Attempts to get past row access policies, policy tags and the limits of one's own jobs: each gets 403.

Ana may read the dataset `open`: of `open.entries` she sees the rows x = 'mine', of `open.tagged` the column x alone.
The dataset `shut` is closed to her, `mine` is hers to write.
"""

import json
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.scripts.stack.gateway.rehearsal import Rehearsal, rehearsal

PROJECT = "noren-attack"
ANA, BO, ADA = "ana@example.com", "bo@example.com", "ada@example.com"
TAG = {"policyTag": "location", "description": "x", "readers": [f"user:{ADA}"], "masked": []}
MASKED = {
    "policyTag": "masked",
    "description": "x",
    "readers": [f"user:{ADA}"],
    "masked": [{"predefinedExpression": "SHA256", "readers": [f"user:{ANA}"]}],
}
FILES = {
    "groups.json": [],
    "project.json": [{"role": "roles/bigquery.jobUser", "domain": "example.com"}],
    "policy_tags.json": [TAG, MASKED],
}
SECRET = "hush"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    with rehearsal(tmp_path_factory.mktemp("attack"), PROJECT, FILES) as running:
        owner = {"role": "OWNER", "userByEmail": ADA}
        running.dataset("open", [owner, {"role": "READER", "userByEmail": ANA}])
        running.dataset("mine", [owner, {"role": "WRITER", "userByEmail": ANA}])
        running.dataset("shut", [owner, {"role": "READER", "userByEmail": BO}])
        running.table("shut.t", {"x": None}, [{"x": SECRET}])
        running.table("open.entries", {"x": None, "y": None}, [{"x": "mine", "y": "1"}, {"x": SECRET, "y": "2"}])
        running.table("mine.entries", {"x": None, "y": None}, [{"x": "mine", "y": "1"}, {"x": SECRET, "y": "2"}])
        for name in ("open.entries", "mine.entries"):
            running.row_policy(name, "p", "x = 'mine'", [f"user:{ANA}"])
        running.table("open.tagged", {"x": None, "place": "location"}, [{"x": "1", "place": SECRET}])
        running.table("open.masked", {"x": None, "place": "masked"}, [{"x": "1", "place": SECRET}])
        running.view("open.over", f"SELECT * FROM `{PROJECT}`.open.tagged")
        running.view("open.all_rows", f"SELECT * FROM `{PROJECT}`.open.entries")
        yield running


def test_what_is_open_is_open(stage):
    assert stage.query(ANA, "SELECT * FROM open.entries").json()["totalRows"] == "1"
    assert stage.query(ANA, "SELECT * FROM open.all_rows").json()["totalRows"] == "1"
    assert stage.query(ANA, "SELECT x FROM open.tagged").json()["totalRows"] == "1"
    assert stage.query(ADA, "SELECT place FROM open.tagged").json()["totalRows"] == "1"


QUERIES = {
    # policy tags
    "tagged column": "SELECT place FROM open.tagged",
    "star": "SELECT * FROM open.tagged",
    "tagged column in other letters": "SELECT PLACE FROM open.tagged",
    "tagged column, quoted": "SELECT `place` FROM open.tagged",
    "tagged column in a filter": "SELECT x FROM open.tagged WHERE place LIKE 'h%'",
    "tagged column in a join": "SELECT a.x FROM open.tagged a JOIN open.entries b ON a.place = b.y",
    "tagged column joined by USING": "SELECT 1 FROM open.tagged JOIN (SELECT 'hush' AS place) USING (place)",
    "tagged column in ORDER BY": "SELECT x FROM open.tagged ORDER BY place",
    "tagged column in a window": "SELECT row_number() OVER (ORDER BY place) FROM open.tagged",
    "tagged column in QUALIFY": "SELECT x FROM open.tagged QUALIFY row_number() OVER (PARTITION BY place) = 1",
    "tagged column in an aggregate": "SELECT max(place) FROM open.tagged",
    "tagged column in a subquery": "SELECT (SELECT max(place) FROM open.tagged)",
    "tagged column under another name": "SELECT p FROM (SELECT place AS p FROM open.tagged)",
    "tagged column through a CTE": "WITH c AS (SELECT * FROM open.tagged) SELECT x FROM c",
    "tagged column through a view": "SELECT place FROM open.over",
    "row as a value": "SELECT t FROM open.tagged AS t",
    "row as JSON": "SELECT TO_JSON_STRING(t) FROM open.tagged AS t",
    "row as a struct": "SELECT AS STRUCT * FROM open.tagged",
    "star with another column left out": "SELECT * EXCEPT (x) FROM open.tagged",
    "pivot of a tagged column": "SELECT * FROM open.tagged PIVOT (count(x) FOR place IN ('hush'))",
    "unpivot of a tagged column": "SELECT * FROM open.tagged UNPIVOT (v FOR n IN (x, place))",
    "tagged column in a second statement": "SELECT 1; SELECT place FROM open.tagged",
    "tagged column in a variable": "DECLARE v STRING DEFAULT (SELECT max(place) FROM open.tagged); SELECT v",
    "tagged column into a table": "CREATE TABLE mine.copy AS SELECT place FROM open.tagged",
    "tagged column into a view": "CREATE VIEW mine.copy AS SELECT place FROM open.tagged",
    "tagged column by wildcard": "SELECT place FROM `open.tagge*`",
    "tagged column of the past": "SELECT place FROM open.tagged FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()",
    "tagged column by pipe": "FROM open.tagged |> SELECT place",
    "tagged column by a pattern": "SELECT COLUMNS('pl.*') FROM open.tagged",
    "tagged column by a pattern, quoted": "SELECT `columns`('place') FROM open.tagged",
    "tagged column by a pattern, unpacked": "SELECT COALESCE(*COLUMNS('pl.*')) FROM open.tagged",
    "tagged column by a test of its name": "SELECT COLUMNS(c -> c LIKE 'p%') FROM open.tagged",
    "tagged column by another name of the table's": "SELECT b FROM open.tagged AS t(a, b)",
    "tagged column by its neighbour's name": "SELECT x FROM open.tagged AS t(y, x)",
    "tagged column by another name, through a view": "CREATE VIEW mine.v AS SELECT b FROM open.tagged AS t(a, b)",
    "tagged column by its place in the row": "SELECT t[2] FROM open.tagged AS t",
    "tagged column of the row by its name": "SELECT t['place'] FROM open.tagged AS t",
    "tagged column under the alias of the table": "SELECT place FROM open.tagged AS place",
    "tagged column in a sort by all": "SELECT x FROM open.tagged ORDER BY ALL",
    "tagged column by an aggregate's HAVING": "SELECT ANY_VALUE(x HAVING MAX place) FROM open.tagged",
    "tagged column in a search of the row": "SELECT x FROM open.tagged AS t WHERE SEARCH(t, 'hush')",
    "clone of a tagged table": "CREATE TABLE mine.copy CLONE open.tagged",
    "masked column": "SELECT place FROM open.masked",
    "star with a masked column": "SELECT * FROM open.masked",
    # row access policies
    "rows by wildcard": "SELECT * FROM `open.entrie*`",
    "rows by wildcard of the dataset": "SELECT * FROM `open.*`",
    "rows as a clone": "CREATE TABLE mine.copy CLONE mine.entries",
    "rows as a snapshot": "CREATE SNAPSHOT TABLE mine.copy CLONE mine.entries",
    "rows as a copy": "CREATE TABLE mine.copy COPY mine.entries",
    "rows changed": "UPDATE mine.entries SET x = 'mine' WHERE true",
    "rows deleted": "DELETE FROM mine.entries WHERE true",
    "rows truncated": "TRUNCATE TABLE mine.entries",
    "rows of the past": "SELECT x FROM mine.entries FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()",
    "rows of the past, as others write it": "SELECT x FROM mine.entries AT (VERSION => 1)",
    "rows of the past in a view": (
        "CREATE VIEW mine.v AS SELECT x FROM mine.entries FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()"
    ),
    "rows merged": "MERGE mine.entries t USING (SELECT 1) ON false WHEN NOT MATCHED BY SOURCE THEN DELETE",
    "table with a policy renamed": "ALTER TABLE mine.entries RENAME TO free",
    "column renamed": "ALTER TABLE mine.entries RENAME COLUMN x TO z",
    "policy dropped": "DROP ALL ROW ACCESS POLICIES ON mine.entries",
    "policy made": "CREATE ROW ACCESS POLICY q ON mine.entries GRANT TO ('user:ana@example.com') FILTER USING (true)",
    "rows by table function": "SELECT * FROM open.f()",
    # SESSION_USER, and other ways in
    "table function that takes a table": "SELECT * FROM VECTOR_SEARCH(TABLE shut.t, 'x', TABLE shut.t)",
    "assignment of the user": "SET @@session_user = 'ada@example.com'; SELECT place FROM open.tagged",
    "export of rows": "EXPORT DATA OPTIONS (uri='gs://b/*', format='CSV') AS SELECT * FROM shut.t",
    "dynamic SQL with a parameter": "EXECUTE IMMEDIATE 'SELECT * FROM ' || @t",
}


def test_there_are_at_least_forty_attempts():
    assert len(QUERIES) >= 40


@pytest.mark.parametrize("attempt", QUERIES)
def test_a_query_that_tries_gets_403(stage: Rehearsal, attempt: str):
    answer = stage.query(ANA, QUERIES[attempt])
    assert answer.status_code == 403, answer.text
    assert SECRET not in answer.text


@pytest.mark.parametrize("attempt", [name for name in QUERIES if QUERIES[name].startswith("SELECT")])
def test_a_dry_run_that_tries_gets_403(stage: Rehearsal, attempt: str):
    assert stage.query(ANA, QUERIES[attempt], dryRun=True).status_code == 403


WITH_DEFAULT = {
    "rows shadowed by a CTE": (
        "SELECT x FROM entries UNION ALL (WITH entries AS (SELECT 'a' AS x) SELECT x FROM entries)"
    ),
    "rows shadowed in other letters": (
        "SELECT x FROM entries UNION ALL (WITH ENTRIES AS (SELECT 'a' AS x) SELECT x FROM ENTRIES)"
    ),
    "tagged column by default dataset": "SELECT place FROM tagged",
}


@pytest.mark.parametrize("attempt", WITH_DEFAULT)
def test_a_default_dataset_opens_nothing(stage: Rehearsal, attempt: str):
    answer = stage.query(ANA, WITH_DEFAULT[attempt], defaultDataset={"datasetId": "open"})
    assert answer.status_code == 403, answer.text
    assert SECRET not in answer.text


def test_a_default_that_is_a_value_is_no_attempt(stage: Rehearsal):
    schema = with_default("CAST(CURRENT_DATE() AS STRING)")
    body = {"tableReference": {"tableId": "with_default"}, "schema": schema}
    assert stage.ask(ANA, "POST", "/datasets/mine/tables", json=body).status_code == 200
    assert stage.ask(ANA, "DELETE", "/datasets/mine/tables/with_default").status_code == 204


@pytest.mark.parametrize("name", ["open.ENTRIES", "OPEN.entries", "open.Tagged", "Open.TAGGED"])
def test_other_letters_open_nothing(stage: Rehearsal, name: str):
    answer = stage.query(ANA, f"SELECT * FROM {name}")
    assert answer.status_code in (403, 404), answer.text
    assert SECRET not in answer.text


def table_copy(source: str, target: str = "mine.copy") -> dict:
    def reference(name: str) -> dict[str, str]:
        return dict(zip(("projectId", "datasetId", "tableId"), (PROJECT, *name.split(".")), strict=True))

    return {"sourceTable": reference(source), "destinationTable": reference(target)}


def copy(source: str) -> dict:
    return {"configuration": {"copy": table_copy(source)}}


SOURCE = table_copy("open.entries")["sourceTable"]


def with_default(expression: str) -> dict:
    return {"fields": [{"name": "x", "type": "STRING", "defaultValueExpression": expression}]}


REQUESTS = {
    "default value that reads": (
        "POST",
        "/datasets/mine/tables",
        {"json": {"tableReference": {"tableId": "d"}, "schema": with_default("(SELECT max(x) FROM shut.t)")}},
    ),
    "default value that reads, in a struct": (
        "PATCH",
        "/datasets/mine/tables/entries",
        {
            "json": {
                "schema": {"fields": [{"name": "s", "type": "RECORD", **with_default("(SELECT max(x) FROM shut.t)")}]}
            }
        },
    ),
    "default value that reads, in a load": (
        "POST",
        "/jobs",
        {
            "json": {
                "configuration": {
                    "load": {
                        "destinationTable": table_copy("open.entries")["destinationTable"],
                        "schema": with_default("(SELECT max(x) FROM shut.t)"),
                    }
                }
            }
        },
    ),
    "copy of filtered rows": ("POST", "/jobs", {"json": copy("open.entries")}),
    "copy of a tagged table": ("POST", "/jobs", {"json": copy("open.tagged")}),
    "copy of one's own filtered rows": ("POST", "/jobs", {"json": copy("mine.entries")}),
    "snapshot job": (
        "POST",
        "/jobs",
        {"json": {"configuration": {"copy": {**table_copy("open.entries"), "operationType": "SNAPSHOT"}}}},
    ),
    "extract of an open table": (
        "POST",
        "/jobs",
        {
            "json": {
                "configuration": {
                    "extract": {
                        "destinationUris": ["gs://b/x"],
                        "sourceTable": table_copy("open.entries")["sourceTable"],
                    }
                }
            }
        },
    ),
    "rows past the policy": ("GET", "/datasets/open/tables/entries/data", {}),
    "rows past the policy, selected": ("GET", "/datasets/open/tables/entries/data?selectedFields=y", {}),
    "rows past the tag": ("GET", "/datasets/open/tables/tagged/data?selectedFields=place", {}),
    "rows past the mask": ("GET", "/datasets/open/tables/masked/data", {}),
    "rows of a table in percent signs": ("GET", "/datasets/%73hut/tables/t/data", {}),
    "a slash in percent signs": ("GET", "/datasets/open%2Ftables%2Frows%2F..%2F..%2F..%2Fshut/tables/t/data", {}),
    "policies of a table": ("GET", "/datasets/open/tables/entries/rowAccessPolicies", {}),
    "one policy": ("GET", "/datasets/mine/tables/entries/rowAccessPolicies/p", {}),
    "policy changed": (
        "PUT",
        "/datasets/mine/tables/entries/rowAccessPolicies/p",
        {"json": {"filterPredicate": "true", "grantees": [f"user:{ANA}"]}},
    ),
    "policy deleted": ("DELETE", "/datasets/mine/tables/entries/rowAccessPolicies/p", {}),
    "policies deleted": (
        "POST",
        "/datasets/mine/tables/entries/rowAccessPolicies:batchDelete",
        {"json": {"policyIds": ["p"]}},
    ),
    "policy tags of a schema": (
        "PATCH",
        "/datasets/open/tables/tagged",
        {"json": {"schema": {"fields": [{"name": "x", "type": "STRING"}, {"name": "place", "type": "STRING"}]}}},
    ),
    "override of the method": (
        "POST",
        "/datasets/shut/tables/t/data",
        {"headers": {"X-HTTP-Method-Override": "GET"}},
    ),
    "override of the method by parameter": ("POST", "/datasets/shut/tables/t/data?$httpMethod=GET", {}),
    "table of somebody by key and trailing slash": ("GET", "/datasets/shut/tables/t/", {}),
    "load with a schema update": (
        "POST",
        "/jobs",
        {
            "json": {
                "configuration": {
                    "load": {"destinationTable": copy("open.entries")["configuration"]["copy"]["sourceTable"]}
                }
            }
        },
    ),
}


@pytest.mark.parametrize("attempt", REQUESTS)
def test_a_request_that_tries_gets_403(stage: Rehearsal, attempt: str):
    method, where, more = REQUESTS[attempt]
    answer = stage.ask(ANA, method, where, **more)
    assert answer.status_code == 403, answer.text
    assert SECRET not in answer.text


def test_a_writer_cannot_take_the_tags_off(stage: Rehearsal):
    stage.table("mine.tagged", {"x": None, "place": "location"}, [{"x": "1", "place": SECRET}])
    fields = [{"name": "x", "type": "STRING"}, {"name": "place", "type": "STRING"}]
    answer = stage.ask(ANA, "PATCH", "/datasets/mine/tables/tagged", json={"schema": {"fields": fields}})
    assert answer.status_code == 403, answer.text
    for change in ("ALTER COLUMN place SET OPTIONS (description = '')", "RENAME TO free", "RENAME COLUMN place TO p"):
        assert stage.query(ANA, f"ALTER TABLE mine.tagged {change}").status_code == 403
    assert stage.query(ANA, "SELECT place FROM mine.tagged").status_code == 403


def test_a_table_that_was_made_again_does_not_show_what_it_was(stage: Rehearsal):
    """Its new columns have no policy tags, and the old ones are still there to be read by time travel."""
    stage.table("mine.again", {"x": None, "place": "location"}, [{"x": "1", "place": SECRET}])
    before = "FOR SYSTEM_TIME AS OF TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 SECOND)"
    time.sleep(1.1)
    assert stage.query(ANA, "CREATE OR REPLACE TABLE mine.again AS SELECT '1' AS x, 'p' AS place").status_code == 200
    for sql in (f"SELECT * FROM mine.again {before}", f"CREATE VIEW mine.v AS SELECT * FROM mine.again {before}"):
        assert stage.query(ANA, sql).status_code == 403
    view = {"tableReference": {"tableId": "v"}, "view": {"query": f"SELECT * FROM mine.again {before}"}}
    assert stage.ask(ANA, "POST", "/datasets/mine/tables", json=view).status_code == 403


def test_an_update_that_leaves_the_schema_out_takes_no_tag_off(stage: Rehearsal):
    stage.table("mine.whole", {"x": None, "place": "location"}, [{"x": "1", "place": SECRET}])
    answer = stage.ask(ANA, "PUT", "/datasets/mine/tables/whole", json={"description": "x"})
    assert answer.status_code == 403, answer.text
    assert stage.query(ANA, "SELECT place FROM mine.whole").status_code == 403


def test_an_update_that_leaves_a_view_out_keeps_its_definition(stage: Rehearsal):
    stage.view("mine.kept", f"SELECT * FROM `{PROJECT}`.shut.t")
    before = stage.ask(ANA, "GET", "/datasets/mine/tables/kept").json()["view"]
    stage.ask(ANA, "PUT", "/datasets/mine/tables/kept", json={"description": "x"})
    assert stage.ask(ANA, "GET", "/datasets/mine/tables/kept").json()["view"] == before
    assert stage.query(ANA, "SELECT * FROM mine.kept").status_code == 403


@pytest.mark.parametrize("function", ["CHANGES(TABLE shut.t, NULL, NULL)", "APPENDS(TABLE shut.t)"])
def test_what_the_parser_does_not_know_is_never_sent_on(stage: Rehearsal, function: str):
    answer = stage.query(ANA, f"SELECT * FROM {function}")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("Syntax error")


def test_a_name_in_percent_signs_twice_is_no_name(stage: Rehearsal):
    assert stage.ask(ANA, "GET", "/datasets/%2573hut/tables/t/data").status_code == 400


@pytest.mark.parametrize(
    "where",
    [
        f"/v1/projects/{PROJECT}/locations/us:createReadSession",
        f"/v2/projects/{PROJECT}/datasets/shut/tables/t:read",
        "/batch/bigquery/v2",
        "/batch",
        "/google.cloud.bigquery.storage.v1.BigQueryRead/CreateReadSession",
        f"/bigquery/v2beta/projects/{PROJECT}/datasets/shut/tables/t/data",
        f"//bigquery/v2/projects/{PROJECT}/datasets/shut/tables/t/data",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_storage_api_batches_and_other_paths_are_not_served(stage: Rehearsal, where: str, method: str):
    assert stage.anywhere(ANA, method, where).status_code == 403


@pytest.fixture(scope="module")
def others_job(stage: Rehearsal) -> str:
    job = stage.query(BO, "SELECT * FROM shut.t").json()["jobReference"]["jobId"]
    assert job
    return job


@pytest.mark.parametrize(
    ("method", "where"),
    [
        ("GET", "/jobs/{job}"),
        ("GET", "/queries/{job}"),
        ("GET", "/queries/{job}?startIndex=0&maxResults=1"),
        ("POST", "/jobs/{job}/cancel"),
        ("DELETE", "/jobs/{job}/delete"),
        ("GET", "/jobs?parentJobId={job}"),
        ("GET", "/datasets/_results/tables/{job}"),
        ("GET", "/datasets/_results/tables/{job}/data"),
        ("GET", "/jobs/script_job_{job}_0"),
    ],
)
def test_the_job_of_somebody_else_gets_403(stage: Rehearsal, others_job: str, method: str, where: str):
    answer = stage.ask(ANA, method, where.format(job=others_job))
    assert answer.status_code == 403, answer.text
    assert SECRET not in answer.text


def test_the_result_of_somebody_else_is_no_table(stage: Rehearsal, others_job: str):
    assert stage.query(ANA, f"SELECT * FROM `_results`.`{others_job}`").status_code == 403
    assert stage.query(ANA, f"SELECT * FROM `{PROJECT}._results.{others_job}`").status_code == 403
    assert stage.ask(ANA, "POST", "/jobs", json=copy(f"_results.{others_job}")).status_code == 403


def test_the_list_of_jobs_has_ones_own_alone(stage: Rehearsal, others_job: str):
    for where in ("/jobs", "/jobs?allUsers=true", "/jobs?projection=full&allUsers=True"):
        answer = stage.ask(ANA, "GET", where)
        assert others_job not in answer.text
        assert SECRET not in answer.text


def test_the_id_of_somebody_elses_job_cannot_be_taken(stage: Rehearsal, others_job: str):
    body = {
        "jobReference": {"projectId": PROJECT, "jobId": others_job},
        "configuration": {"query": {"query": "SELECT 1", "useLegacySql": False}},
    }
    assert stage.ask(ANA, "POST", "/jobs", json=body).status_code == 409
    assert stage.ask(ANA, "GET", f"/queries/{others_job}").status_code == 403


def test_who_one_is_comes_from_the_token_alone(stage: Rehearsal):
    headers = {
        "x-goog-authenticated-user-email": f"accounts.google.com:{ADA}",
        "x-goog-user-project": PROJECT,
        "x-goog-iam-authority-selector": ADA,
        "x-forwarded-user": ADA,
    }
    answer = stage.query(ANA, "SELECT SESSION_USER() AS who")
    assert answer.json()["rows"][0]["f"][0]["v"] == ANA
    sent = {"query": "SELECT place FROM open.tagged", "useLegacySql": False}
    assert stage.ask(ANA, "POST", "/queries", json=sent, headers=headers).status_code == 403
    assert stage.ask(ANA, "POST", f"/queries?quotaUser={ADA}&access_token=x", json=sent).status_code == 403


def upload(stage: Rehearsal, target: str, kind: str) -> httpx.Response:
    configuration = {"load": {"destinationTable": stage.reference(target), "sourceFormat": "CSV"}}
    body = json.dumps({"configuration": configuration})
    where = f"/upload/bigquery/v2/projects/{PROJECT}/jobs?uploadType={kind}"
    if kind == "resumable":
        return stage.anywhere(ANA, "POST", where, content=body, headers={"content-type": "application/json"})
    parts = (
        f"--b\r\nContent-Type: application/json\r\n\r\n{body}\r\n--b\r\nContent-Type: text/csv\r\n\r\na,b\r\n--b--\r\n"
    )
    return stage.anywhere(ANA, "POST", where, content=parts, headers={"content-type": "multipart/related; boundary=b"})


@pytest.mark.parametrize("kind", ["resumable", "multipart", "media"])
@pytest.mark.parametrize("target", ["shut.t", "open.entries"])
def test_an_upload_into_what_one_may_not_write_gets_403(stage: Rehearsal, kind: str, target: str):
    assert upload(stage, target, kind).status_code == 403


@pytest.mark.parametrize(
    "where", ["/datasets/open/tables?pageToken=x", "/datasets/open/tables/masked/data?pageToken=-"]
)
def test_an_odd_page_token_is_told_so(stage: Rehearsal, where: str):
    answer = stage.ask(ADA, "GET", where)
    assert answer.status_code == 400
    assert "pageToken" in answer.json()["error"]["message"]
