"""`noren acl explain` and `noren acl matrix` on a small estate."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dataflow.errors import NorenError
from scripts.bench.estate import PROJECT, invent, write
from scripts.cli import noren

REPOSITORY = Path(__file__).parents[4]
QUESTIONS = "ask one question: --who TABLE, --what MEMBER, --why MEMBER TABLE or --matrix."


@pytest.fixture
def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = invent(datasets=8, views=40, groups=16)
    write(tmp_path, made)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOREN_PROJECT", PROJECT)
    return made


def run(*arguments: str) -> str:
    done = CliRunner().invoke(noren, ["acl", *arguments, "--manifest", "dbt/target/manifest.json"])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def reader(estate, dataset: str) -> str:
    return next(m for group in estate.grants[dataset] for m in estate.groups[group][2])


def test_why_prints_the_chain_with_files_and_lines(estate):
    view = next(view for view in estate.views if view.dataset.startswith("marts"))
    person = reader(estate, view.dataset)
    told = run("explain", "--why", person, f"{view.dataset}.{view.table}")
    assert told.startswith(f"{person} can query {view.dataset}.{view.table}.")
    assert f"(iam/datasets/{view.dataset}.json:" in told
    assert "(iam/authorized_views/" in told
    assert told.rstrip().endswith("As far as iam/ tells.")


def test_why_not_prints_the_missing_link_bigquerys_message_and_whom_to_ask(estate):
    answer = json.loads(run("explain", "--why", "anybody@example.com", "raw__d000.events0", "--json"))
    assert answer["allowed"] is False
    assert answer["denial"].startswith(
        f"Access Denied: Table {PROJECT}:raw__d000.events0: User does not have permission"
    )
    assert answer["missing"].startswith("No entry of raw__d000")
    assert answer["ask"].startswith("Members of g")


def test_who_lists_readers_of_the_table_and_of_views_over_it(estate):
    answer = json.loads(run("explain", "--who", "anonymized__d000.events0", "--json"))
    objects = {found["object"].partition("__")[0] for found in answer["readers"]}
    assert {"anonymized", "warehouse"} <= objects
    assert all(found["reasons"] for found in answer["readers"])


def test_what_lists_datasets(estate):
    person = reader(estate, "marts__d000")
    seen = {one["dataset"]: one for one in json.loads(run("explain", "--what", person, "--json"))}
    assert "READ" in seen["marts__d000"]["rights"]


def test_the_matrix_is_text_json_and_a_page(estate, tmp_path):
    assert "raw__d000" in run("matrix")
    assert json.loads(run("matrix", "--json"))["proved"] is False
    run("matrix", "--html", "access.html")
    assert (tmp_path / "access.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--who", "raw_d000.t"), "there is no dataset raw_d000: did you mean raw__d000?"),
        (("--who", "raw__d000"), "raw__d000 is no table: write dataset.table or dataset.table.column."),
        (("--what", "ana"), "ana is no e-mail address."),
        ((), "ask one question: --who TABLE, --what MEMBER, --why MEMBER TABLE or --matrix."),
        (
            ("--what", "a@b.c", "--who", "a.b"),
            "ask one question: --who TABLE, --what MEMBER, --why MEMBER TABLE or --matrix.",
        ),
    ],
)
def test_a_question_that_cannot_be_answered_is_one_sentence(estate, arguments, told):
    with pytest.raises(NorenError) as error:
        run("explain", *arguments)
    assert str(error.value) == told


def test_the_matrix_is_a_question_of_explain_too(estate):
    assert run("explain", "--matrix") == run("matrix", "--no-dbt")


def test_a_column_that_no_table_has_is_an_error_with_a_hint(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    done = CliRunner().invoke(noren, ["acl", "explain", "--who", "anonymized__app.app_event.usr_id"])
    with pytest.raises(NorenError, match=r"anonymized__app\.app_event has no column usr_id: did you mean user_id\?"):
        raise done.exception


def test_a_table_that_nothing_describes_is_told(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    done = CliRunner().invoke(noren, ["acl", "explain", "--why", "bo@example.com", "marts__product.nosuch"])
    assert (done.exit_code, "no contract and no model describes marts__product.nosuch" in done.stderr) == (0, True)
