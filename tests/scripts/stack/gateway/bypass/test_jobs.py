"""Requests and jobs that try to get around the gateway beside their SQL: defaults, destinations, copies, parameters."""

import pytest

from tests.scripts.stack.gateway.bypass.cast import ANALYST, DBT, RAW, reference

REQUESTS = {
    "default dataset": {"query": "SELECT * FROM app_event", "defaultDataset": {"datasetId": "raw__app"}},
    "default dataset, and a CTE out of scope": {
        "query": (
            "SELECT secret FROM app_event UNION ALL (WITH app_event AS (SELECT 'x' AS secret) SELECT * FROM app_event)"
        ),
        "defaultDataset": {"datasetId": "raw__app"},
    },
    "default dataset, and a CTE that reads its own name": {
        "query": "WITH app_event AS (SELECT * FROM app_event) SELECT * FROM app_event",
        "defaultDataset": {"datasetId": "raw__app"},
    },
    "default dataset, and a recursive CTE that does not recurse": {
        "query": "WITH RECURSIVE app_event AS (SELECT * FROM app_event) SELECT * FROM app_event",
        "defaultDataset": {"datasetId": "raw__app"},
    },
    "default dataset, and a recursive CTE that begins with its own name": {
        "query": (
            "WITH RECURSIVE app_event AS (SELECT secret FROM app_event UNION ALL SELECT 'x') SELECT * FROM app_event"
        ),
        "defaultDataset": {"datasetId": "raw__app"},
    },
    "default dataset set as a parameter of a script": {
        "query": "SET @dataset_id = 'raw__app'; SELECT * FROM app_event",
        "defaultDataset": {"datasetId": "anonymized__app"},
    },
    "default dataset set among the variables of a script": {
        "query": "DECLARE x STRING; SET (x, @dataset_id) = ('', 'raw__app'); SELECT * FROM app_event",
        "defaultDataset": {"datasetId": "anonymized__app"},
    },
    "default dataset that is closed, and no table": {
        "query": "SELECT 1",
        "defaultDataset": {"datasetId": "raw__app"},
    },
    "default dataset, table list": {
        "query": "WITH __TABLES__ AS (SELECT 1 AS x) SELECT * FROM __TABLES__",
        "defaultDataset": {"datasetId": "raw__app"},
    },
    "default dataset of another project": {
        "query": "SELECT * FROM jobs",
        "defaultDataset": {"projectId": "emulator", "datasetId": "main"},
    },
    "default dataset and a column of it": {
        "query": "SELECT * FROM warehouse__app.events e, raw__app.app_event",
        "defaultDataset": {"datasetId": "warehouse__app"},
    },
    "legacy SQL": {"query": "SELECT * FROM [noren-test:raw__app.app_event]", "useLegacySql": True},
    "session": {"query": "SELECT 1", "createSession": True},
    "somebody's session": {"query": "SELECT 1", "connectionProperties": [{"key": "session_id", "value": "1"}]},
    "key of another spelling": {"query": "SELECT 1", "default_dataset": {"datasetId": "raw__app"}},
    "dry run": {"query": f"SELECT secret FROM {RAW}", "dryRun": True},
    "table name as a parameter": {
        "query": "SELECT * FROM @t",
        "parameterMode": "NAMED",
        "queryParameters": [
            {"name": "t", "parameterType": {"type": "STRING"}, "parameterValue": {"value": RAW}},
        ],
    },
}


@pytest.mark.parametrize("attempt", REQUESTS)
def test_a_request_that_tries_is_refused(call, attempt):
    answer = call(ANALYST, "POST", "/queries", json={"useLegacySql": False, **REQUESTS[attempt]})
    assert answer.status_code == 403, answer.text


SELECT = "SELECT user_token FROM warehouse__app.events"


CONFIGURATIONS = {
    "destination in a closed dataset": {"query": {"query": SELECT, "destinationTable": reference("raw__app", "x")}},
    "destination in a dataset to read": {
        "query": {"query": SELECT, "destinationTable": reference("warehouse__app", "x")}
    },
    "destination over a table": {
        "query": {
            "query": SELECT,
            "destinationTable": reference("anonymized__app", "app_event"),
            "writeDisposition": "WRITE_TRUNCATE",
        }
    },
    "destination among the results": {"query": {"query": SELECT, "destinationTable": reference("_results", "x")}},
    "external table of the job": {
        "query": {
            "query": "SELECT * FROM t",
            "tableDefinitions": {"t": {"sourceUris": ["file:///etc/passwd"], "sourceFormat": "CSV"}},
        }
    },
    "functions of the job": {"query": {"query": "SELECT 1", "userDefinedFunctionResources": [{"inlineCode": "x"}]}},
    "copy of a closed table": {
        "copy": {
            "sourceTable": reference("raw__app", "app_event"),
            "destinationTable": reference("warehouse__app", "x"),
        }
    },
    "copy under another key": {
        "copy_": {
            "sourceTable": reference("raw__app", "app_event"),
            "destinationTable": reference("warehouse__app", "x"),
        }
    },
    "extract": {"extract": {"sourceTable": reference("warehouse__app", "events"), "destinationUris": ["gs://b/x"]}},
    "load of a local file": {
        "load": {"sourceUris": ["file:///etc/passwd"], "destinationTable": reference("warehouse__app", "x")}
    },
    "load into a closed table": {"load": {"destinationTable": reference("raw__app", "app_event")}},
}


@pytest.mark.parametrize("attempt", CONFIGURATIONS)
def test_a_job_that_tries_is_refused(call, attempt):
    answer = call(ANALYST, "POST", "/jobs", json={"configuration": CONFIGURATIONS[attempt]})
    assert answer.status_code == 403, answer.text


def test_a_writer_cannot_copy_what_the_writer_may_not_read(call):
    configuration = {
        "copy": {
            "sourceTable": reference("raw__app", "app_event"),
            "destinationTable": reference("marts__product", "x"),
        }
    }
    assert call(DBT, "POST", "/jobs", json={"configuration": configuration}).status_code == 403


def test_two_job_types_in_one_job_are_refused(call):
    configuration = {
        "query": {"query": "SELECT 1"},
        "copy": {
            "sourceTable": reference("raw__app", "app_event"),
            "destinationTable": reference("marts__product", "x"),
        },
    }
    assert call(DBT, "POST", "/jobs", json={"configuration": configuration}).status_code == 400


MALFORMED = {
    "a list": ("POST", "/queries", "[]"),
    "no JSON": ("POST", "/queries", "{"),
    "a number as a query": ("POST", "/queries", '{"query": 1}'),
    "a text as a job": ("POST", "/jobs", '"x"'),
    "a text as a reference": ("POST", "/jobs", '{"jobReference": "x", "configuration": {"query": {"query": 1}}}'),
    "a list as a configuration": ("POST", "/jobs", '{"configuration": []}'),
    "a text as a query": ("POST", "/jobs", '{"configuration": {"query": "x"}}'),
    "a number as a default dataset": ("POST", "/queries", '{"query": "SELECT 1", "defaultDataset": 1}'),
    "nothing": ("POST", "/jobs", ""),
    "deep nesting": ("POST", "/queries", "[" * 100_000),
}


@pytest.mark.parametrize("attempt", MALFORMED)
def test_a_malformed_body_is_told_so(call, attempt):
    method, where, body = MALFORMED[attempt]
    answer = call(ANALYST, method, where, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["errors"][0]["reason"] == "invalid"


def test_who_may_not_run_jobs_runs_none(call):
    answer = call("oz@example.com", "POST", "/queries", json={"query": "SELECT 1", "useLegacySql": False})
    assert answer.status_code == 403
    assert answer.json()["error"]["message"] == (
        "Access Denied: Project noren-test: User does not have bigquery.jobs.create permission in project noren-test.\n"
        "Members of data-admins@example.com may: ask ada@example.com."
    )


def test_the_name_of_a_parameter_is_no_sql(call):
    parameter = {
        "name": f"x AS STRING), (SELECT max(secret) FROM {RAW}), CAST($x",
        "parameterType": {"type": "STRING"},
        "parameterValue": {"value": "x"},
    }
    body = {"query": "SELECT 1", "parameterMode": "NAMED", "queryParameters": [parameter], "useLegacySql": False}
    answer = call(ANALYST, "POST", "/queries", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("The name of a query parameter")
