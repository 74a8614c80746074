"""The access files, written to live datasets: straight to the emulator and, as the applier, through the gateway."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from dataflow.errors import NorenError
from dataflow.project import Project
from iam.apply import apply
from iam.files import AccessFiles, load
from iam.live import Live

APPLIER = "acl-applier@noren-test.iam.gserviceaccount.com"
REPOSITORY = Project.find(Path(__file__))
OWNERS: list[dict[str, Any]] = [
    {"role": "OWNER", "groupByEmail": "data-admins@example.com"},
    {"role": "OWNER", "userByEmail": "acl-applier@${project}.iam.gserviceaccount.com"},
]
READER = {"role": "READER", "groupByEmail": "business@example.com"}
VIEW = {"view": {"projectId": "${project}", "datasetId": "marts__t", "tableId": "counted"}}

Write = Callable[..., AccessFiles]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """write(datasets={"raw__t": [...]}, authorized={...}, apply="additive"): the files of a small project."""

    def files(
        datasets: dict[str, list[Any]], authorized: dict[str, list[Any]] | None = None, mode: str = "authoritative"
    ) -> AccessFiles:
        for folder, content in (("datasets", datasets), ("authorized_views", authorized or {})):
            (tmp_path / "iam" / folder).mkdir(parents=True, exist_ok=True)
            for name, entries in content.items():
                (tmp_path / "iam" / folder / f"{name}.json").write_text(json.dumps(entries))
        for name in ("groups.json", "principals.json", "project.json"):
            (tmp_path / "iam" / name).write_bytes((REPOSITORY.iam / name).read_bytes())
        layers = (REPOSITORY.iam / "layers.yaml").read_text().replace("apply: authoritative", f"apply: {mode}")
        (tmp_path / "iam" / "layers.yaml").write_text(layers)
        return load(Project(tmp_path, "noren-test"))

    return files


@pytest.fixture
def clean(admin):
    """Without the datasets of these tests, before and after."""

    def drop() -> None:
        for dataset in ("raw__t", "warehouse__t", "marts__t"):
            admin.delete_dataset(dataset, delete_contents=True, not_found_ok=True)

    drop()
    yield
    drop()


def said(changes) -> list[str]:
    return [str(change) for change in changes]


def live(admin: bigquery.Client, dataset: str) -> list[dict[str, Any]]:
    return Live(admin).dataset(dataset)["access"]


def etag(admin: bigquery.Client, dataset: str) -> str:
    return admin.get_dataset(dataset).etag


@pytest.mark.usefixtures("clean")
def test_a_dataset_file_without_a_dataset_creates_it_as_its_layer_says(as_, admin, write):
    changes = apply(as_(APPLIER), write({"raw__t": OWNERS}))
    assert said(changes) == [
        "raw__t: created in asia-northeast1; partitions expire after 30 days; layer=raw, lane=raw",
        "raw__t: + OWNER group data-admins@example.com",
        "raw__t: + OWNER user acl-applier@noren-test.iam.gserviceaccount.com",
    ]
    made = admin.get_dataset("raw__t")
    assert (made.location, made.labels) == ("asia-northeast1", {"layer": "raw", "lane": "raw"})
    assert made.default_partition_expiration_ms == 30 * 86_400_000
    assert made.description.startswith("Events as they came")
    assert [(e.role, e.entity_id) for e in made.access_entries] == [
        ("OWNER", "data-admins@example.com"),
        ("OWNER", APPLIER),
    ]


@pytest.mark.usefixtures("clean")
def test_a_second_run_changes_and_sends_nothing(as_, admin, write):
    files = write({"raw__t": [*OWNERS, READER]})
    apply(as_(APPLIER), files)
    before = etag(admin, "raw__t")
    assert apply(as_(APPLIER), files) == []
    assert etag(admin, "raw__t") == before


@pytest.mark.usefixtures("clean")
def test_spelling_alone_is_no_difference(as_, admin, write):
    apply(as_(APPLIER), write({"raw__t": [*OWNERS, READER]}))
    before = etag(admin, "raw__t")
    spelled = {"role": "roles/bigquery.dataViewer", "iamMember": "group:Business@Example.com"}
    assert apply(as_(APPLIER), write({"raw__t": [*OWNERS, spelled]})) == []
    assert etag(admin, "raw__t") == before


@pytest.mark.usefixtures("clean")
def test_an_authoritative_list_loses_what_the_files_lack(as_, admin, write):
    apply(as_(APPLIER), write({"raw__t": [*OWNERS, READER]}))
    assert said(apply(as_(APPLIER), write({"raw__t": OWNERS}))) == ["raw__t: - READER group business@example.com"]
    assert len(live(admin, "raw__t")) == 2


@pytest.mark.usefixtures("clean")
def test_an_additive_list_only_grows(as_, admin, write):
    apply(as_(APPLIER), write({"raw__t": [*OWNERS, READER]}))
    assert apply(as_(APPLIER), write({"raw__t": OWNERS}, mode="additive")) == []
    assert len(live(admin, "raw__t")) == 3


@pytest.mark.usefixtures("clean")
def test_what_is_not_known_here_survives_a_patch(as_, admin, write):
    apply(as_(APPLIER), write({"raw__t": OWNERS}))
    foreign = {"role": "READER", "userByEmail": "x@example.com", "condition": {"expression": "true", "title": "t"}}
    unknown = {"role": "READER", "newKindOfMember": "x"}
    resource = Live(admin).dataset("raw__t")
    assert Live(admin).patch("raw__t", [*resource["access"], foreign, unknown], resource["etag"])
    changes = apply(as_(APPLIER), write({"raw__t": [*OWNERS, READER]}, mode="additive"))
    assert said(changes) == ["raw__t: + READER group business@example.com"]
    assert foreign in live(admin, "raw__t")
    apply(as_(APPLIER), write({"raw__t": OWNERS}))
    assert live(admin, "raw__t")[2:] == [unknown]


@pytest.mark.usefixtures("clean")
def test_grants_come_before_the_build_and_authorized_views_after_it(as_, admin, write):
    files = write({"warehouse__t": OWNERS, "marts__t": [*OWNERS, READER]}, {"warehouse__t": [VIEW]})
    client = as_(APPLIER)
    apply(client, files, grants_only=True)
    assert len(live(admin, "warehouse__t")) == 2
    assert said(apply(client, files)) == [
        "warehouse__t: skipped view noren-test.marts__t.counted: it does not exist yet, run this again after the build"
    ]
    admin.query("CREATE TABLE warehouse__t.rows AS SELECT 1 AS x").result()
    admin.query("CREATE VIEW marts__t.counted AS SELECT count(*) AS n FROM warehouse__t.rows").result()
    assert said(apply(client, files)) == ["warehouse__t: + view noren-test.marts__t.counted"]
    assert [row[0] for row in as_("bo@example.com").query("SELECT n FROM marts__t.counted").result()] == [1]
    assert apply(client, files, grants_only=True) == []
    assert apply(client, files) == []


@pytest.mark.usefixtures("clean")
def test_a_view_that_lost_its_authorization_gets_it_back(as_, admin, write):
    """What BigQuery does when a view is dropped and made again (dbt-bigquery#1189); the emulator keeps the entry."""
    files = write({"warehouse__t": OWNERS, "marts__t": OWNERS}, {"warehouse__t": [VIEW]})
    apply(as_(APPLIER), files)
    admin.query("CREATE VIEW marts__t.counted AS SELECT 1 AS n").result()
    apply(as_(APPLIER), files)
    resource = Live(admin).dataset("warehouse__t")
    kept = [entry for entry in resource["access"] if "view" not in entry]
    Live(admin).patch("warehouse__t", kept, resource["etag"])
    assert said(apply(as_(APPLIER), files)) == ["warehouse__t: + view noren-test.marts__t.counted"]


@pytest.mark.usefixtures("clean")
def test_a_dry_run_says_the_same_and_does_nothing(as_, admin, write):
    files = write({"raw__t": [*OWNERS, READER]})
    planned = apply(as_(APPLIER), files, dry_run=True)
    assert Live(admin).dataset("raw__t") is None
    assert apply(as_(APPLIER), files) == planned
    fewer = write({"raw__t": OWNERS})
    before = etag(admin, "raw__t")
    assert said(apply(as_(APPLIER), fewer, dry_run=True)) == ["raw__t: - READER group business@example.com"]
    assert etag(admin, "raw__t") == before


@pytest.mark.usefixtures("clean")
def test_writers_at_once_lose_no_entry(as_, admin, write, stack):
    """Each of four appliers adds an entry of its own, additively; without If-Match they would overwrite each other."""
    apply(as_(APPLIER), write({"raw__t": OWNERS}))
    files = [
        write({"raw__t": [*OWNERS, {"role": "READER", "groupByEmail": f"group{n}@example.com"}]}, mode="additive")
        for n in range(4)
    ]
    failed: list[BaseException] = []

    def run(content: AccessFiles) -> None:
        try:
            apply(stack.warehouse_client(), content)
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=run, args=(content,)) for content in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    groups = {entry.get("groupByEmail") for entry in live(admin, "raw__t")}
    assert groups >= {f"group{n}@example.com" for n in range(4)}


@pytest.mark.usefixtures("clean")
def test_an_applier_without_the_right_is_told_what_was_refused(as_, write):
    apply(as_(APPLIER), write({"raw__t": OWNERS}))
    with pytest.raises(NorenError, match=r"BigQuery refused GET /projects/noren-test/datasets/raw__t: .*Access Denied"):
        apply(as_("ana@example.com"), write({"raw__t": [*OWNERS, READER]}))


def test_the_repositorys_own_files_are_applied_already(as_, files):
    """By this folder's fixture, straight to the emulator; the applier, through the gateway, finds no difference."""
    assert apply(as_(APPLIER), files) == []
    assert apply(as_(APPLIER), replace(files), grants_only=True) == []
