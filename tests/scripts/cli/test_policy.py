"""`noren policy`: checked, compared and published in the project of the current directory."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NOREN = Path(sys.executable).with_name("noren")
ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of the two descriptions alone."""
    shutil.copytree(ROOT / "dataflow" / "contracts", tmp_path / "dataflow" / "contracts")
    shutil.copy(ROOT / "dataflow" / "policy.yaml", tmp_path / "dataflow")
    return tmp_path


def noren(project: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `noren policy ARGUMENTS`."""
    done = subprocess.run([NOREN, "policy", *arguments], cwd=project, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def edit(project: Path, old: str, new: str) -> None:
    path = project / "dataflow" / "policy.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_check_passes_on_the_repositorys_own(project: Path) -> None:
    assert noren(project, "check") == (0, "policy.yaml 1.0.0 fits 23 fields of app_event, checkin\n", "")


def test_check_prints_every_finding_and_fails(project: Path) -> None:
    edit(project, "parts: 1}", "parts: 9}")
    edit(project, "venue.venue_id:", "venue.venue:")
    code, said, sentence = noren(project, "check")
    assert (code, said.splitlines()) == (
        1,
        [
            "policy.yaml:7: classifications.location: checkin.venue.venue_id: coarsen_location takes number, "
            "not string; give the field a rule of its own, such as drop.",
            "policy.yaml:17: streams.app_event.fields.device.os_version.parts: expected int <= 3, not 9.",
            "policy.yaml:23: streams.checkin.fields.venue.venue: the contract has no such field; "
            "did you mean venue.venue_id?",
        ],
    )
    assert sentence == "noren: 3 findings in policy.yaml; mend them before it is published.\n"
    code, said, _ = noren(project, "check", "--json")
    assert (code, len(json.loads(said))) == (1, 3)
    assert json.loads(said)[0].keys() == {"file", "line", "where", "sentence"}


def test_diff_says_what_becomes_weaker(project: Path) -> None:
    shutil.copy(project / "dataflow" / "policy.yaml", project / "base.yaml")
    assert noren(project, "diff", "base.yaml") == (0, "nothing changes in what leaves the curtain\n", "")
    edit(project, "unit: minute}", "unit: second}")
    edit(project, "unit: hour}", "unit: day}")
    assert noren(project, "diff", "base.yaml")[1].splitlines() == [
        "weaker   app_event.timestamp: truncate_time unit minute -> second: times to the second instead of minute",
        "stronger checkin.timestamp: truncate_time unit hour -> day: times to the day instead of hour",
        "1 of 2 changes let more through or cannot be compared: two approvals",
    ]
    told = json.loads(noren(project, "diff", "base.yaml", "--json")[1])
    assert [(change["direction"], change["where"], change["weakens"]) for change in told] == [
        ("weaker", "app_event.timestamp", True),
        ("stronger", "checkin.timestamp", False),
    ]


def test_publish_takes_reviews_or_the_local_flag(project: Path) -> None:
    home = project / "home"
    code, _, sentence = noren(project, "publish", "--home", str(home))
    assert (code, sentence.splitlines()[0]) == (
        1,
        "noren: 22 changes let more through or cannot be compared, which takes 2 approvals and has 0; ask for reviews "
        "of the pull request and give them with --reviews, or publish for development with --unreviewed:",
    )
    reviews = [
        {"id": n, "user": {"login": login, "type": "User"}, "state": "APPROVED", "commit_id": "c0ffee",
         "author_association": "MEMBER", "submitted_at": f"2026-11-21T00:0{n}:00Z"}
        for n, login in enumerate(["bo", "cy", "ana"])
    ]  # fmt: skip
    (project / "reviews.json").write_text(json.dumps(reviews))
    reviewed = ["publish", "--home", str(home), "--reviews", "reviews.json"]
    assert noren(project, *reviewed)[2] == "noren: --reviews needs --author: an author's own approval does not count.\n"
    assert "takes 2 approvals and has 0;" in noren(project, *reviewed, "--author", "ana", "--head", "beef")[2]
    code, said, _ = noren(project, *reviewed, "--author", "ana", "--head", "c0ffee")
    assert code == 0
    assert said.splitlines()[-1] == (
        f"bundle 1 is published to {home / 'bundles'}, signed for development (the policy fits the contracts: passed; "
        "every stream's anonymizer runs: passed; no output column changes its type: passed; what is weaker is "
        "approved: passed: bo, cy)"
    )
    edit(project, "version: 1.0.0", "version: 1.1.0")
    edit(project, "decimals: 2}", "decimals: 3}")
    code, said, _ = noren(project, "publish", "--home", str(home), "--unreviewed", "--bundles", str(home / "bundles"))
    assert (code, said.splitlines()[-1].split(" (")[0]) == (
        0,
        f"bundle 2 is published to {home / 'bundles'}, signed for development",
    )


def test_key_is_for_production_and_wrapped_by_kms(project: Path) -> None:
    for arguments in (["--kms", "local"], ["--kms", "gcp-kms://x", "--environment", "development"]):
        code, _, sentence = noren(project, "key", "keys", *arguments)
        assert (code, sentence) == (
            1,
            "noren: a development key is made by noren policy publish itself; this one is wrapped by Cloud KMS.\n",
        )
    assert not (project / "keys").exists()
