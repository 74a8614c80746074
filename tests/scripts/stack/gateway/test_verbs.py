"""noren query, token and acl apply, on the running stack of this folder."""

import json
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner

from scripts.cli import main, noren, query
from scripts.stack.supervisor import free_port
from scripts.stack.tokens import Tokens


@pytest.fixture
def run(stack, monkeypatch):
    """run("query", "--as", ...): a verb that is given the home of the stack; its result."""
    monkeypatch.setenv("NOREN_PROJECT", stack.project_id)
    return lambda *words: CliRunner().invoke(
        noren, [*words, "--home", str(stack.home.root)], catch_exceptions=False, env={"COLUMNS": "20"}
    )


@pytest.fixture
def fail(stack, monkeypatch, capsys):
    """fail("query", ...): the sentence on stderr of a verb that ends with exit code 1."""
    monkeypatch.setenv("NOREN_PROJECT", stack.project_id)

    def end(*words: str, home: str = "") -> str:
        monkeypatch.setattr(sys, "argv", ["noren", *words, "--home", home or str(stack.home.root)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 1
        return capsys.readouterr().err

    return end


SQL = "SELECT user_token, day FROM warehouse__app.events ORDER BY 1"


def test_rows_are_a_table_for_people(run):
    done = run("query", "--as", "ana@example.com", SQL)
    assert [line.split() for line in done.output.splitlines()] == [
        ["user_token", "day"],
        ["t1", "2026-01-02"],
        ["t2", "2026-01-02"],
        ["2", "rows"],
    ]


def test_a_cell_is_never_cut_and_never_read_as_markup(run):
    text = "[red]" + "x" * 300
    assert text in run("query", "--as", "ana@example.com", f"SELECT '{text}' AS x").output


def test_rows_are_json_for_programs(run):
    done = run("query", "--as", "ANA@example.com", "--json", SQL)
    assert json.loads(done.output) == [
        {"user_token": "t1", "day": "2026-01-02"},
        {"user_token": "t2", "day": "2026-01-02"},
    ]


def test_values_without_a_json_type_are_text(run):
    sql = "SELECT b'ab' AS b, NUMERIC '1.5' AS n, [STRUCT(1 AS a)] AS s, NULL AS x"
    assert json.loads(run("query", "--as", "ana@example.com", "--json", sql).output) == [
        {"b": "YWI=", "n": "1.5", "s": [{"a": 1}], "x": None}
    ]


def test_a_refusal_is_bigquerys_sentence_and_whom_to_ask(fail):
    assert fail("query", "--as", "bo@example.com", SQL) == (
        "noren: bo@example.com: Access Denied: Table noren-test:warehouse__app.events: User does not have permission "
        "to query table noren-test:warehouse__app.events, or perhaps it does not exist.\n"
        "Members of analysts@example.com may: ask ada@example.com.\n"
    )


def test_a_query_that_fails_is_one_sentence(fail):
    said = fail("query", "--as", "ana@example.com", "SELECT nope FROM warehouse__app.events")
    assert said.startswith("noren: the query failed: ")
    assert "nope" in said
    assert said.count("\n") == 1


def test_who_asks_is_an_e_mail_address(fail):
    assert fail("query", "--as", "ana", "SELECT 1") == (
        "noren: ana is no e-mail address: give one like ana@example.com.\n"
    )


def test_without_a_stack_the_sentence_says_how_to_start_one(fail, tmp_path):
    assert "start one with `noren up`" in fail("query", "--as", "ana@example.com", "SELECT 1", home=str(tmp_path))


def test_a_gateway_that_does_not_answer_is_one_sentence(fail, stack, monkeypatch):
    dead = replace(stack["gateway"], address=f"http://127.0.0.1:{free_port()}")
    gone = replace(stack, services={**stack.services, "gateway": dead})
    monkeypatch.setattr(query, "load", lambda _: gone)
    monkeypatch.setattr(query, "PATIENCE_SECONDS", 0.5)
    assert fail("query", "--as", "ana@example.com", "SELECT 1") == (
        f"noren: the gateway at {dead.address} does not answer: `noren status` says what runs.\n"
    )


def test_a_token_names_who_it_is_for(run, stack):
    token = run("token", "--as", "Bo@example.com", "--hours", "0.5").output.strip()
    assert Tokens(stack.home.root).verify(token) == "bo@example.com"


def test_apply_finds_that_all_is_done(run):
    assert run("acl", "apply").output == "Nothing to change: the access lists are what iam/ says.\n"
    assert json.loads(run("acl", "apply", "--json", "--grants-only").output) == []


def test_apply_shows_what_it_would_change_and_then_changes_it(run, admin):
    dataset = admin.get_dataset("marts__places")
    dataset.access_entries = [e for e in dataset.access_entries if e.entity_id != "business@example.com"]
    admin.update_dataset(dataset, ["access_entries"])
    line = "marts__places: + READER group business@example.com\n"
    assert run("acl", "apply", "--dry-run").output == f"would: {line}1 dataset: 1 added\n"
    assert run("acl", "apply").output == f"{line}1 dataset: 1 added\n"
    change = {"dataset": "marts__places", "action": "add", "what": "READER group business@example.com"}
    dataset = admin.get_dataset("marts__places")
    dataset.access_entries = [e for e in dataset.access_entries if e.entity_id != "business@example.com"]
    admin.update_dataset(dataset, ["access_entries"])
    assert json.loads(run("acl", "apply", "--json").output) == [change]
