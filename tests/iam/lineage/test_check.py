"""The proof, on small projects: one fault each, and nothing said where nothing is wrong."""

# ruff: noqa: E501 - one case a line

from pathlib import Path
from typing import Any

import pytest

from iam.entries import Entry
from iam.lineage.cache import Cache
from iam.lineage.check import check
from iam.lineage.models import Column, Model, digest
from iam.lineage.origins import Origin, Origins
from iam.lineage.sensitivity import Sensitivity
from iam.lineage.trace import Lineage, StaleError, trace

SAID = "Rows of the pseudonymized lane."


def origins() -> Origins:
    found = Origins()
    words = {"user_id": "pseudonym", "grid": "location", "kind": "public"}
    columns = {name: Origin(f"e.{name}", "", word, Sensitivity(word)) for name, word in words.items()}
    found.add("anonymized__x.e", dict.fromkeys(columns), columns)
    found.add("raw__x.e", {"user_id": None}, {"user_id": Origin("e.user_id", "raw", "", Sensitivity.IDENTIFIER)})
    return found


def model(name: str, *sql: str, **given: Any) -> Model:
    """given: of the Model, and `declares`, column -> classification."""
    columns = {column: Column(classification=word) for column, word in given.pop("declares", {}).items()}
    file = f"dbt/models/{name.partition('.')[2]}"
    own = {"kind": "view", "description": SAID, "columns": columns, "source_text": sql[0] if sql else ""} | given
    return Model(
        id=name,
        relation=f"p.{name}",
        file=f"{file}.sql",
        yaml=f"{file}.yml",
        sql=sql,
        digests=tuple(map(digest, sql)),
        **own,
    )


def traced(*models: Model, cache: Cache | None = None) -> Lineage:
    return trace("p", models, origins(), cache or Cache())


def findings(*models: Model, tags: tuple[str, ...] = (), authorized: dict[str, Any] | None = None) -> list[str]:
    found = check(traced(*models), Path("/nonexistent"), authorized or {}, frozenset(tags))
    return [f"{finding.code} {finding}" for finding in found]


EVENTS = model(
    "warehouse__x.events",
    "select user_id, grid, kind from anonymized__x.e",
    declares={"user_id": "pseudonym", "grid": "location"},
)


def test_a_project_that_says_what_it_carries_is_proved() -> None:
    users = model(
        "marts__x.users", "select count(distinct user_id) as n from warehouse__x.events", declares={"n": "count"}
    )
    assert findings(EVENTS, users) == []


def test_to_declare_more_than_a_column_carries_is_no_fault() -> None:
    assert findings(model("marts__x.k", "select kind from anonymized__x.e", declares={"kind": "location"})) == []


def test_a_column_that_declares_nothing() -> None:
    assert findings(model("marts__x.g", "select concat(grid, kind) as city from anonymized__x.e")) == [
        "classification dbt/models/g.yml: marts__x.g.city carries location, from e.grid (location), and declares nothing: "
        "add config: {meta: {classification: location}}."
    ]


def test_a_column_that_understates_through_two_views() -> None:
    mart = model("marts__x.m", "select min(user_id) as first from warehouse__x.events", declares={"first": "location"})
    assert findings(EVENTS, mart) == [
        "classification dbt/models/m.yml: marts__x.m.first is declared location, and carries pseudonym, from e.user_id (pseudonym)."
    ]


def test_a_word_that_is_none() -> None:
    [finding] = findings(model("marts__x.k", "select kind from anonymized__x.e", declares={"kind": "secret"}))
    assert "classification secret is no word of the scale: public, internal, count," in finding


def test_raw_is_read_by_no_view_and_no_identifier_reaches_one() -> None:
    assert findings(model("marts__x.r", "select user_id from raw__x.e")) == [
        "reads_raw dbt/models/r.sql: reads raw__x.e: only the anonymizer reads raw; read anonymized__ instead.",
        "identifier dbt/models/r.sql: marts__x.r.user_id carries an identifier in clear, from e.user_id, raw; no column of a view may.",
    ]


def test_raw_is_read_by_no_test_either() -> None:
    test = model("x.t", "select 1 from `p`.`raw__x`.`e`", kind="test")
    assert findings(Model(**{**{f: getattr(test, f) for f in test.__struct_fields__}, "relation": ""})) == [
        "reads_raw dbt/models/t.sql: reads raw__x.e: only the anonymizer reads raw; read anonymized__ instead."
    ]


def test_a_test_that_names_raw_and_cannot_be_read_counts_as_a_reader() -> None:
    test = model("x.t", "select raw__x from", kind="test")
    [finding] = findings(Model(**{**{f: getattr(test, f) for f in test.__struct_fields__}, "relation": ""}))
    assert finding.startswith("reads_raw dbt/models/t.sql: names raw__ in SQL that cannot be read")


def test_nothing_is_authorized_on_raw() -> None:
    view = Entry({"view": {"projectId": "p", "datasetId": "marts__x", "tableId": "m"}})
    assert findings(authorized={"raw__x": (view,)}) == [
        "reads_raw iam/authorized_views/raw__x.json: authorizes view p.marts__x.m on raw, which only the anonymizer reads: "
        "remove the entry."
    ]


def test_what_is_decrypted_is_an_identifier() -> None:
    sql = "select aead.decrypt_string(b'', user_id, '') as who from anonymized__x.e"
    assert findings(model("marts__x.d", sql, declares={"who": "identifier"}))[0].startswith(
        "identifier dbt/models/d.sql"
    )


def test_a_model_that_cannot_be_traced_and_what_reads_it_are_told_with_the_line() -> None:
    odd = model("warehouse__x.odd", "select kind,\n  own(grid) as g from anonymized__x.e")
    after = model("marts__x.after", "select kind from warehouse__x.odd")
    assert findings(odd, after) == [
        "untraceable dbt/models/after.sql: reads warehouse__x.odd, whose lineage is not known. "
        "Write it in SQL that can be traced; nothing is proved of it now.",
        "untraceable dbt/models/odd.sql:2: a function that is not known: what it does is not seen. "
        "Write it in SQL that can be traced; nothing is proved of it now.",
    ]


def test_models_that_read_each_other() -> None:
    one = model("marts__x.one", "select n from marts__x.two")
    two = model("marts__x.two", "select n from marts__x.one")
    assert "which reads it" in " ".join(findings(one, two))


def test_descriptions_and_labels_that_belittle() -> None:
    texts = {"Anonymous rows, personal data not.": "is called anonymous", "Rows.": "must say that it is pseudonymized"}
    for text, expected in texts.items():
        mart = model("marts__x.m", "select grid from anonymized__x.e", declares={"grid": "location"}, description=text)
        assert [expected in finding for finding in findings(mart)] == [True]
    lane = model(
        "marts__x.m", "select grid from anonymized__x.e", declares={"grid": "location"}, labels={"lane": "anonymous"}
    )
    assert ["lane: anonymous" in finding for finding in findings(lane)] == [True]


def test_a_description_may_say_that_it_is_not_anonymous() -> None:
    text = "Pseudonymized, not anonymous: personal data."
    assert (
        findings(
            model("marts__x.m", "select grid from anonymized__x.e", declares={"grid": "location"}, description=text)
        )
        == []
    )


def test_policy_tags() -> None:
    sql, says = (
        "select user_id from anonymized__x.e",
        {"user_id": Column(classification="pseudonym", tags=("location",))},
    )
    low = model("warehouse__x.t", sql, kind="table", columns=says)
    assert findings(low) == [
        "policy_tag dbt/models/t.yml: warehouse__x.t.user_id has the policy tag location, and carries pseudonym."
    ]
    bare = model("warehouse__x.t", sql, kind="table", declares={"user_id": "pseudonym"})
    assert findings(bare) == []
    assert findings(bare, tags=("pseudonym",)) == [
        "policy_tag dbt/models/t.yml: warehouse__x.t.user_id carries pseudonym and has no policy tag: add pseudonym."
    ]


def test_an_incremental_model_is_both_of_its_statements() -> None:
    sql = (
        "select user_id as c from anonymized__x.e",
        "select grid as c from anonymized__x.e union all select c from warehouse__x.i",
    )
    lineage = traced(model("warehouse__x.i", *sql, kind="incremental"))
    assert lineage.columns("p.warehouse__x.i") == {"c": Sensitivity.PSEUDONYM}


def test_a_source_that_no_contract_describes_has_to_say_what_it_is() -> None:
    bare = model("other.t", kind="source", columns={"a": Column(type="STRING")})
    assert "other.t.a has no meta.classification" in findings(bare)[0]
    said = model("other.t", kind="source", columns={"a": Column(type="STRING", classification="network")})
    assert traced(said, model("marts__x.m", "select a from other.t")).columns("p.marts__x.m") == {
        "a": Sensitivity.NETWORK
    }


def test_the_cache_knows_a_flow_without_the_sql(tmp_path: Path) -> None:
    file = tmp_path / "flows"
    before = traced(EVENTS, cache=Cache(file))
    nameless = model("warehouse__x.events", declares={})
    bare = Model(**{**{f: getattr(nameless, f) for f in nameless.__struct_fields__}, "digests": EVENTS.digests})
    assert traced(bare, cache=Cache(file)).flows == before.flows
    with pytest.raises(StaleError):
        traced(bare)


def test_the_cache_holds_no_literal(tmp_path: Path) -> None:
    traced(
        model("marts__x.m", "select kind from anonymized__x.e where user_id = 'ada'"), cache=Cache(tmp_path / "flows")
    )
    assert b"user_id" in (tmp_path / "flows").read_bytes()
    assert b"ada" not in (tmp_path / "flows").read_bytes()


def test_a_broken_cache_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "flows").write_bytes(b"\xc1 nothing")
    assert traced(EVENTS, cache=Cache(tmp_path / "flows")).faults == {}
