"""What becomes weaker, in words."""

import shutil
import subprocess
from pathlib import Path

import pytest

from dataflow.errors import NorenError
from dataflow.policy.base import rules_at, rules_of
from dataflow.policy.diff import NO_RULES, diff
from dataflow.project import Project

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project of the two descriptions alone, committed to a repository of its own."""
    shutil.copytree(ROOT / "dataflow" / "contracts", tmp_path / "dataflow" / "contracts")
    shutil.copy(ROOT / "dataflow" / "policy.yaml", tmp_path / "dataflow")
    for arguments in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "rules"],
    ):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    return Project(tmp_path)


def edit(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path.write_text(text)


def told(project: Project, base: str = "HEAD") -> list[tuple[str, str]]:
    return [(change.direction.value, str(change)) for change in diff(rules_at(project, base), rules_of(project))]


def test_nothing_changed_is_nothing(project: Project) -> None:
    edit(project.policy, ("version: 1.0.0", "version: 1.0.1  # a comment"))
    assert told(project) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "decimals: 2}",
            "decimals: 3}",
            [
                (
                    "weaker",
                    f"{field}: coarsen_location 2 -> 3 decimals: a grid of 110 m instead of 1.1 km",
                )
                for field in (
                    "app_event.location.latitude",
                    "app_event.location.longitude",
                    "checkin.venue.latitude",
                    "checkin.venue.longitude",
                )
            ],
        ),
        (
            "unit: minute}",
            "unit: day}",
            [("stronger", "app_event.timestamp: truncate_time unit minute -> day: times to the day instead of minute")],
        ),
        (
            "location.accuracy: {method: drop}",
            "location.accuracy: {method: coarsen_location, decimals: 0}",
            [
                (
                    "weaker",
                    "app_event.location.accuracy: newly kept: coarsen_location (decimals 0: a grid of 111 km), "
                    "was dropped",
                )
            ],
        ),
        (
            "device.app_version: {method: reduce_version, parts: 2}",
            "device.app_version: {method: drop}",
            [("stronger", "app_event.device.app_version: dropped, was reduce_version (parts 2)")],
        ),
        (
            "device.app_version: {method: reduce_version, parts: 2}",
            "device.app_version: {method: keep}",
            [
                (
                    "weaker",
                    "app_event.device.app_version: reduce_version (parts 2) -> keep: "
                    "the value itself leaves the curtain",
                )
            ],
        ),
        (
            "device.app_version: {method: reduce_version, parts: 2}",
            "device.app_version: {method: token}",
            [
                (
                    "changed",
                    "app_event.device.app_version: reduce_version (parts 2) -> token: not comparable, review needed",
                )
            ],
        ),
        (
            "attributes: [event_type, app_version]",
            "attributes: [event_type, carrier]",
            [
                ("weaker", "dead_letters: the attribute carrier stands in clear now"),
                ("stronger", "dead_letters: the attribute app_version no longer stands in clear"),
            ],
        ),
        (
            "  checkin:\n",
            "  checkin:\n    purpose: app\n",
            [
                ("weaker", "app_event: tokens join with those of checkin now: both are made for app"),
                (
                    "changed",
                    "checkin: tokens are made for app instead of places: they join with no older token; review needed",
                ),
            ],
        ),
        (
            "      location.accuracy: {method: drop}",
            "      location.accuracy: {method: drop}\n"
            "    derive:\n      client: {method: user_agent_family, from: device.device_model}",
            [("weaker", "app_event.client: newly kept: user_agent_family")],
        ),
    ],
)
def test_each_change_of_the_policy_in_words(
    project: Project, old: str, new: str, expected: list[tuple[str, str]]
) -> None:
    edit(project.policy, (old, new))
    assert told(project) == expected


def test_a_field_that_is_reclassified_becomes_weaker_though_the_policy_stays(project: Project) -> None:
    contract = project.contracts / "app_event.yaml"
    edit(
        contract,
        (
            "        classification: identifier\n        description: One use of the app",
            "        classification: public\n        description: One use of the app",
        ),
    )
    assert told(project) == [("weaker", "app_event.session_id: token -> keep: the value itself leaves the curtain")]


def test_a_kept_field_whose_contract_allows_other_values_is_to_be_reviewed(project: Project) -> None:
    edit(project.contracts / "app_event.yaml", ("enum: [{value: ios}, {value: android}]", "enum: [{value: ios}]"))
    assert told(project) == [
        ("changed", "app_event.device.type: kept, and its contract allows other values than before; review needed")
    ]


def test_a_stream_that_goes_is_stronger_and_one_that_comes_is_weaker(project: Project) -> None:
    (project.contracts / "checkin.yaml").rename(project.root / "checkin.yaml")
    policy = project.policy.read_text()
    project.policy.write_text(policy[: policy.index("  checkin:")] + policy[policy.index("dead_letters") :])
    gone = told(project)
    assert {direction for direction, _ in gone} == {"stronger"}
    assert ("stronger", "checkin.user_id: no longer there, was token") in gone
    back = [(change.direction.value, str(change)) for change in diff(rules_of(project), rules_at(project, "HEAD"))]
    assert {direction for direction, _ in back} == {"weaker"}
    assert ("weaker", "checkin.user_id: newly kept: token") in back


def test_a_derived_column_of_another_source_is_to_be_reviewed(project: Project) -> None:
    derive = "      location.accuracy: {method: drop}\n    derive:\n      client: {method: user_agent_family, from: %s}"
    edit(project.policy, ("      location.accuracy: {method: drop}", derive % "device.device_model"))
    shutil.copy(project.policy, project.root / "base.yaml")
    edit(project.policy, ("from: device.device_model", "from: device.type"))
    assert told(project, str(project.root / "base.yaml")) == [
        (
            "changed",
            "app_event.client: derived from device.type instead of device.device_model; not comparable, review needed",
        )
    ]


def test_before_anything_is_published_everything_that_leaves_is_weaker(project: Project) -> None:
    changes = diff(NO_RULES, rules_of(project))
    assert all(change.weakens for change in changes)
    assert "app_event.device.device_model" not in {change.where for change in changes}


def test_the_base_is_a_directory_a_projects_root_or_a_file(project: Project, tmp_path: Path) -> None:
    shutil.copytree(project.root / "dataflow", tmp_path / "copy" / "dataflow")
    edit(project.policy, ("decimals: 2}", "decimals: 1}"))
    for base in (tmp_path / "copy", tmp_path / "copy" / "dataflow", tmp_path / "copy" / "dataflow" / "policy.yaml"):
        assert [direction for direction, _ in told(project, str(base))] == ["stronger"] * 4


@pytest.mark.parametrize("base", ["nowhere", "--all", "HEAD~9"])
def test_a_base_that_is_none_is_one_sentence(project: Project, base: str) -> None:
    with pytest.raises(NorenError, match=rf"^{base}"):
        rules_at(project, base)
