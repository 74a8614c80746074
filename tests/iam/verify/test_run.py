"""Which cases can be played by whom, and what counts as a difference."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from dataflow.errors import NorenError
from iam.verify.cases import Case, Stage
from iam.verify.cast import Cast, read_cast
from iam.verify.play import Answer
from iam.verify.run import Means, Outcome, compared, expected, unplayable
from scripts.cli.verify import verify

NAMES = {"ana@example.com": "a@p.iam.gserviceaccount.com", "bo@example.com": "b@p.iam.gserviceaccount.com"}
STAGE = Stage("acme-test", "noren_verify_1_", NAMES)
MEANS = Means(frozenset(NAMES))


def case(name: str, stage: Stage = STAGE) -> Case:
    return next(case for case in stage.cases() if case.name == name)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a user", ""),
        ("an authorized view", ""),
        ("somebody else", ""),
        ("a group", "needs somebody for analysts@example.com"),
        ("without jobs.create no query", "needs somebody for eve@other.com"),
        ("a domain", "speaks of a whole domain, which service accounts are not in"),
        ("all users", "opens a dataset to everybody; allow it with --public"),
        ("dataViewer of the project", "takes grants on the project"),
        ("a tagged column is closed", "needs the policy tag location"),
    ],
)
def test_what_can_be_played(name: str, why: str) -> None:
    assert unplayable(case(name), MEANS, STAGE) == why


def test_the_engine_answers_for_the_real_people_as_for_those_of_the_cases() -> None:
    for mine, original in zip(STAGE.cases(), Stage().cases(), strict=True):
        if not unplayable(mine, MEANS, STAGE):
            assert bool(expected(mine)) == bool(expected(original)), mine.name


def test_datasets_and_people_are_the_stages() -> None:
    played = case("a user")
    assert (played.caller, list(played.access)) == ("a@p.iam.gserviceaccount.com", ["noren_verify_1_c000_d"])
    assert played.query == "SELECT * FROM noren_verify_1_c000_d.t"
    assert played.access["noren_verify_1_c000_d"] == [{"role": "READER", "userByEmail": "a@p.iam.gserviceaccount.com"}]


@pytest.mark.parametrize(
    ("said", "answer", "outcome"),
    [
        ("", Answer(True, 2), Outcome.SAME),
        ("", Answer(True, 1), Outcome.OTHER_ROWS),
        ("", Answer(False, message="Access Denied"), Outcome.ALLOWS_MORE),
        ("Access Denied", Answer(True, 2), Outcome.ALLOWS_LESS),
        ("Access Denied", Answer(False, message="Not found"), Outcome.SAME),
    ],
)
def test_what_differs(said: str, answer: Answer, outcome: Outcome) -> None:
    assert compared(case("a user"), said, answer) is outcome


def test_a_cast(tmp_path: Path) -> None:
    file = tmp_path / "cast.yaml"
    file.write_text("people: {ana: A@p.iam.gserviceaccount.com, eve@other.com: e@x.com}\ngroups: {analysts: g@x.com}")
    names = {
        "ana@example.com": "a@p.iam.gserviceaccount.com",
        "eve@other.com": "e@x.com",
        "analysts@example.com": "g@x.com",
    }
    assert read_cast(file) == Cast(names)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("people: {}", "must say at least people"),
        ("people: {ana: nobody}", "must give an e-mail address"),
        ("people: {ana: a@x.com}\npoeple: {}", "unknown key 'poeple'"),
        ("a: [", "is no valid YAML"),
    ],
)
def test_a_cast_that_is_wrong(tmp_path: Path, content: str, fault: str) -> None:
    (tmp_path / "cast.yaml").write_text(content)
    with pytest.raises(NorenError, match=fault):
        read_cast(tmp_path / "cast.yaml")


def test_a_dry_run_touches_nothing_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "cast.yaml").write_text("people: {ana: a@p.iam.gserviceaccount.com}")
    cast = str(tmp_path / "cast.yaml")
    result = CliRunner().invoke(verify, ["--project", "acme-test", "--cast", cast, "--dry-run"])
    lines = result.stdout.splitlines()
    assert lines[0] == "would play: a user"
    assert "would skip: somebody else: needs somebody for bo@example.com" in lines
    assert lines[-1].endswith("of 103 cases would be played")


def test_without_a_cast_it_says_the_way_out() -> None:
    result = CliRunner().invoke(verify, ["--project", "acme-test"])
    assert "--project needs --cast" in str(result.exception)
