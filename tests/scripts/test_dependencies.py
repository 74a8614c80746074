"""Locks that are as they should be, and each way in which one is not."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from scripts.dependencies import (
    ROOT,
    Weakness,
    lock_problems,
    pinned,
    read_report,
    requirements_problems,
    weaknesses,
)

HASH = "sha256:" + "a" * 64
FILE = {"url": "https://files.pythonhosted.org/packages/a/b/c/x-1.0-py3-none-any.whl", "hash": HASH}
GOOD = {"name": "x", "version": "1.0", "source": {"registry": "https://pypi.org/simple"}, "wheels": [FILE]}


def problems(**changes: Any) -> list[str]:
    return list(lock_problems({"package": [GOOD | changes]}))


def test_the_projects_own_locks_are_sound() -> None:
    assert list(lock_problems(tomllib.loads((ROOT / "uv.lock").read_text()))) == []
    lock = ROOT / "scripts" / "stack" / "warehouse" / "requirements.lock"
    assert list(requirements_problems("lock", lock.read_text())) == []


def test_what_is_not_from_the_index_is_named() -> None:
    assert problems(source={"git": "https://example.com/x"}) == [
        "uv.lock: x 1.0 comes from git https://example.com/x; take it from https://pypi.org/simple."
    ]
    assert problems(source={"registry": "https://mirror.example.com/simple"}) == [
        "uv.lock: x 1.0 comes from registry https://mirror.example.com/simple; take it from https://pypi.org/simple."
    ]
    assert problems(wheels=[FILE | {"url": "https://files.example.com/x.whl"}]) == [
        "uv.lock: x 1.0 is fetched from files.example.com; take it from files.pythonhosted.org."
    ]
    assert problems(sdist=FILE | {"url": "http://files.pythonhosted.org/x.tar.gz"}) == [
        "uv.lock: x 1.0 is fetched from files.pythonhosted.org; take it from files.pythonhosted.org."
    ]


@pytest.mark.parametrize("hash", [None, "", "md5:" + "a" * 32, "sha256:" + "a" * 63])
def test_a_file_without_a_hash_is_named(hash: str | None) -> None:
    assert problems(wheels=[FILE, FILE | {"hash": hash}]) == ["uv.lock: x 1.0 has a file without a SHA-256."]


def test_a_package_without_files_is_named() -> None:
    assert problems(wheels=[]) == ["uv.lock: x 1.0 has no file."]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"x==1.0 \\\n    --hash={HASH} \\\n    --hash={HASH}\n# why\n", None),
        (f"x==1.0 ; sys_platform == 'linux' --hash={HASH}", None),
        ("x==1.0", "f: x has no SHA-256, or another option."),
        (f"x==1.0 --hash={HASH} --no-binary", "f: x has no SHA-256, or another option."),
        (f"x>=1.0 --hash={HASH}", "f: x>=1.0 is not pinned with ==."),
        (f"x @ https://example.com/x.whl --hash={HASH}", "f: x is not pinned with ==."),
        ("--extra-index-url https://example.com", "f: --extra-index-url is an option; only pinned requirements belong"),
    ],
)
def test_requirements_are_pinned_and_hashed(text: str, problem: str | None) -> None:
    found = list(requirements_problems("f", text))
    assert [each[: len(problem or "")] for each in found] == ([] if problem is None else [problem])


def test_this_project_itself_is_not_asked_about() -> None:
    own = {"name": "noren", "version": "0", "source": {"editable": "."}}
    assert pinned({"package": [own, GOOD]}) == ["x==1.0"]


def report(*dependencies: dict[str, Any]) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


def test_weaknesses_are_read_and_say_the_way_out() -> None:
    vulnerable = {"name": "x", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
    answer = read_report(report(vulnerable, {"name": "y", "version": "2", "vulns": []}))
    assert answer == ([Weakness("x", "1.0", "PYSEC-1", ("1.1",))], 2)
    assert str(answer[0][0]) == "x 1.0: PYSEC-1; take 1.1."
    assert str(Weakness("x", "1.0", "PYSEC-1", ())) == "x 1.0: PYSEC-1; no version is without it yet."


def test_what_the_service_does_not_know_was_not_checked() -> None:
    unknown = {"name": "x", "skip_reason": "Dependency not found on PyPI and could not be audited: x (1.0)"}
    assert read_report(report(unknown)) is None
    assert read_report(report(unknown, {"name": "y", "version": "2", "vulns": []})) == ([], 1)
    assert read_report("") is None


def test_a_service_that_is_away_is_no_finding(tmp_path: Path) -> None:
    assert weaknesses(["click==8.2.0"], "--vulnerability-service", "osv", "--osv-url", "http://127.0.0.1:9/q") is None
