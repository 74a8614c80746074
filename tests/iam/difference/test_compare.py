"""What a change means in people and columns: one change each."""

# ruff: noqa: E501 - sentences as they are printed

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dataflow.contract import load_contracts
from dataflow.errors import NorenError
from dataflow.policy.diff import Rules
from dataflow.project import Project
from iam.difference import text
from iam.difference.compare import Differences, compare
from iam.difference.gate import Gate, judge, read_gate, refusal
from iam.difference.state import State
from iam.entries import Entry
from iam.files import AccessFiles, PolicyTag, RowPolicy, load
from iam.groups import Group, Groups
from iam.lineage.cache import Cache
from iam.lineage.models import Column, Model, digest
from iam.lineage.origins import origins
from iam.lineage.sensitivity import Sensitivity
from iam.lineage.trace import trace

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONTRACTS = load_contracts(ROOT / "dataflow" / "contracts")
POLICY = (ROOT / "dataflow" / "policy.yaml").read_text()
LAYERS = load(Project(ROOT)).layers
GROUPS = (
    Group("marketing@x.com", "business", "", "", members=frozenset({"mo@x.com", "mia@x.com"})),
    Group("brands@x.com", "business", "", "", parents=frozenset({"marketing@x.com"}), members=frozenset({"bea@x.com"})),
    Group("analysts@x.com", "analysis", "", "", members=frozenset({"ana@x.com"})),
)
AREAS = (
    "select venue.category as kind, venue.latitude as lat, count(*) as n from anonymized__places.checkin group by 1, 2"
)


def reader(group: str, role: str = "READER", **more: Any) -> Entry:
    return Entry({"role": role, "groupByEmail": group, **more})


def authorized(view: str) -> Entry:
    dataset, _, table = view.partition(".")
    return Entry({"view": {"projectId": "p", "datasetId": dataset, "tableId": table}})


FILES = AccessFiles(
    project="p",
    datasets={"marts__x": (reader("analysts@x.com"),), "anonymized__places": ()},
    authorized={"anonymized__places": (authorized("marts__x.areas"),)},
    groups=Groups(GROUPS),
    principals=(),
    layers=LAYERS,
)


def state(
    files: AccessFiles = FILES,
    policy: str = POLICY,
    kind: str = "view",
    columns: dict[str, Column] | None = None,
    **sql: str,
) -> State:
    """sql: name of a model of marts__x -> its SQL; without any, `areas`."""
    rules = Rules(read_text_of(policy), CONTRACTS)
    models = [
        Model(name, f"p.marts__x.{name}", f"dbt/{name}.sql", "", kind, "", columns or {}, sql=(sql,), digests=(digest(sql),))
        for name, sql in (sql or {"areas": AREAS}).items()
    ]  # fmt: skip
    return State(files, trace("p", models, origins(CONTRACTS.values(), rules.policy), Cache()), lambda: rules)


def read_text_of(policy: str) -> Any:
    from dataflow.policy.check import review

    return review(policy, "policy.yaml", CONTRACTS, ROOT / "dataflow")[0]


def granting(*entries: Entry, dataset: str = "marts__x", files: AccessFiles = FILES) -> AccessFiles:
    return replace(files, datasets={**files.datasets, dataset: (*files.datasets[dataset], *entries)})


def told(before: State, after: State) -> list[str]:
    return list(text.lines(compare(before, after, NOW)))


def asks(found: Differences) -> tuple[str, ...]:
    return judge(found, Gate(), Gate(), None).asks


def test_nothing() -> None:
    assert told(state(), state()) == ["Nobody gains or loses anything."]


def test_a_group_gains_a_view() -> None:
    assert told(state(), state(granting(reader("marketing@x.com")))) == [
        "marketing@x.com (3 people) can now read 3 columns (kind, lat, n) of marts__x.areas; "
        "of these lat derives from location (a grid of 1.1 km)"
    ]


def test_a_group_within_a_group_is_not_told_again_but_one_alone_is() -> None:
    [sentence] = told(state(), state(granting(reader("brands@x.com"), reader("marketing@x.com"))))
    assert sentence.startswith("marketing@x.com (3 people) can now read")
    [sentence] = told(state(), state(granting(reader("brands@x.com"))))
    assert sentence.startswith("brands@x.com (1 person) can now read")


def test_a_group_loses_a_view() -> None:
    [sentence] = told(state(granting(reader("marketing@x.com"))), state())
    assert sentence.startswith(
        "marketing@x.com (3 people) can no longer read 3 columns (kind, lat, n) of marts__x.areas (No entry"
    )


def test_a_broken_chain_takes_access_away() -> None:
    [sentence] = told(state(), state(replace(FILES, authorized={})))
    assert sentence.startswith("analysts@x.com (1 person) can no longer read 3 columns")
    assert "anonymized__places does not authorize marts__x.areas" in sentence


def test_a_person_joins_a_group() -> None:
    more = replace(GROUPS[2], members=frozenset({"ana@x.com", "eve@x.com"}))
    [sentence] = told(state(), state(replace(FILES, groups=Groups((*GROUPS[:2], more)))))
    assert sentence.startswith("eve@x.com can now read 3 columns")


def test_everybody_of_a_domain_and_anybody() -> None:
    [sentence] = told(state(), state(granting(Entry({"role": "READER", "domain": "x.com"}))))
    assert sentence.startswith("everybody at x.com can now read")
    [sentence] = told(state(), state(granting(Entry({"role": "READER", "iamMember": "allUsers"}))))
    assert sentence.startswith("anybody at all can now read")


def test_a_model_selects_one_column_more() -> None:
    more = AREAS.replace("count(*) as n", "count(*) as n, max(user_id) as someone")
    assert told(state(), state(areas=more)) == [
        "analysts@x.com (1 person) can now read 1 column (someone) of marts__x.areas; of these someone derives from identifier (token)"
    ]


def test_a_model_fills_a_column_with_something_else() -> None:
    before, after = state(), state(areas=AREAS.replace("venue.category", "user_id"))
    assert told(before, after) == [
        "marts__x.areas.kind: tells more to analysts@x.com (1 person): now pseudonym of identifier (token), was public (keep)"
    ]
    assert asks(compare(before, after, NOW)) == ("marts__x.areas tells more: pseudonym in kind",)


def test_a_policy_lets_more_through() -> None:
    before, after = state(), state(policy=POLICY.replace("decimals: 2", "decimals: 3"))
    assert told(before, after) == [
        "marts__x.areas.lat: tells more to analysts@x.com (1 person): now location (a grid of 110 m), was location (a grid of 1.1 km)"
    ]
    assert [meant.weaker for meant in compare(after, before, NOW).meanings] == [False]


def test_a_model_that_cannot_be_traced_may_tell_anything() -> None:
    before, after = state(), state(areas=AREAS, odd="select own(user_id) as u from anonymized__places.checkin")
    files = replace(
        FILES, authorized={"anonymized__places": (authorized("marts__x.areas"), authorized("marts__x.odd"))}
    )
    after = replace(after, files=files)
    found = compare(before, after, NOW)
    assert asks(found) == ("analysts@x.com gains identifier in marts__x.odd",)
    assert list(text.lines(found))[-1].startswith("marts__x.odd cannot be traced, so it may tell anything: dbt/odd.sql")


def test_a_policy_tag_hides_and_masks_a_column() -> None:
    tagged = {"lat": Column(tags=("location",))}
    tag = PolicyTag("location", "", ("group:analysts@x.com",), {"group:marketing@x.com": "SHA256"})
    files = granting(reader("marketing@x.com"), files=replace(FILES, policy_tags={"location": tag}))
    before, after = state(kind="table"), state(files, kind="table", columns=tagged)
    assert told(before, after) == [
        "marketing@x.com (3 people) can now read 3 columns (kind, lat, n) of marts__x.areas; of these lat derives from "
        "location (a grid of 1.1 km); lat masked"
    ]
    assert asks(compare(before, after, NOW)) == ()
    unmasked = replace(tag, readers=("group:analysts@x.com", "group:marketing@x.com"))
    opened = state(replace(files, policy_tags={"location": unmasked}), kind="table", columns=tagged)
    assert told(after, opened) == [
        "marketing@x.com (3 people) can now read 1 column (lat) of marts__x.areas; of these lat derives from location (a grid of 1.1 km)"
    ]


def test_row_access_policies() -> None:
    policy = RowPolicy("anonymized__places", "checkin", "parks", "true", ("group:analysts@x.com",))
    with_one = state(replace(FILES, row_policies=(policy,)))
    assert [(rows.widens, rows.words) for rows in compare(state(), with_one, NOW).rows] == [
        (False, "parks is new, for group:analysts@x.com")
    ]
    [rows] = compare(with_one, state(), NOW).rows
    assert (rows.widens, rows.most) == (True, Sensitivity.PSEUDONYM)
    other = replace(policy, grantees=("group:analysts@x.com", "group:marketing@x.com"))
    [rows] = compare(with_one, state(replace(FILES, row_policies=(other,))), NOW).rows
    assert (rows.widens, rows.words) == (True, "parks: now for group:marketing@x.com")


def test_to_write_and_to_own_takes_an_approval() -> None:
    found = compare(state(), state(granting(reader("analysts@x.com", "OWNER"))), NOW)
    assert list(text.lines(found)) == [
        "analysts@x.com (1 person) can now change tables and rows of marts__x",
        "analysts@x.com (1 person) can now change the dataset and its access list: marts__x",
    ]
    assert asks(found) == ("analysts@x.com can change marts__x", "analysts@x.com can own marts__x")


def test_the_gate_is_that_of_before_and_names_who_may_approve() -> None:
    found = compare(state(), state(granting(reader("marketing@x.com"))), NOW)
    strict = Gate(Sensitivity.COUNT, frozenset({"dpo"}), 1)
    assert judge(found, strict, strict, ["ana"]).open is False
    assert judge(found, strict, strict, ["DPO"]).open is True
    assert judge(found, Gate(Sensitivity.LOCATION), Gate(Sensitivity.LOCATION), None).open is True
    opened = judge(Differences(), strict, Gate(Sensitivity.IDENTIFIER), None)
    assert (opened.open, opened.asks) == (False, ("iam/gate.yaml itself changes",))
    assert refusal(judge(found, strict, strict, ["ana"]), strict) == (
        "1 changes take an approval by one of dpo, and have none; ask for a review of the pull request and give the reviews with --reviews."
    )


def test_masked_columns_and_losses_take_no_approval() -> None:
    assert asks(compare(state(granting(reader("marketing@x.com"))), state(), NOW)) == ()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("above: secret", "above must be one of public"),
        ("abvoe: count", "unknown key 'abvoe'"),
        ("approvers: dpo", "approvers must be a list of logins"),
        ("needed: 0", "needed must be a whole number"),
        ("- a", "must be a mapping"),
        ("a: [", "is no valid YAML"),
    ],
)
def test_a_gate_that_is_wrong_names_what(tmp_path: Path, content: str, fault: str) -> None:
    (tmp_path / "gate.yaml").write_text(content)
    with pytest.raises(NorenError, match=fault):
        read_gate(tmp_path)


def test_markdown_has_a_marker_and_says_whether_it_is_approved() -> None:
    found = compare(state(), state(granting(reader("marketing@x.com"))), NOW)
    shut = text.markdown(found, judge(found, Gate(), Gate(), None), "main")
    assert shut.splitlines()[:6] == [
        "<!-- noren acl diff -->",
        "### Who can read what, compared with `main`",
        "",
        "**Gained**",
        "",
        "- marketing@x.com (3 people) can now read 3 columns (`kind`, `lat`, `n`) of `marts__x.areas`; "
        "of these `lat` derives from location (a grid of 1.1 km)",
    ]
    assert "(**not approved**)" in shut
    assert "(approved by dpo)" in text.markdown(found, judge(found, Gate(), Gate(), ["dpo"]), "main")


def test_json_has_every_column_with_its_origins() -> None:
    found = compare(state(), state(granting(reader("marketing@x.com"))), NOW)
    told = text.as_json(found, judge(found, Gate(), Gate(), None))
    assert told["readings"][0]["columns"][1] == {
        "column": "lat",
        "masked": False,
        "classification": "location",
        "origins": [
            {
                "field": "checkin.venue.latitude",
                "classification": "location",
                "method": "coarsen_location (decimals 2: a grid of 1.1 km)",
            }
        ],
    }
    assert told["gate"] == {
        "asks": ["marketing@x.com gains location in marts__x.areas"],
        "approvals": [],
        "open": False,
    }
