"""The access files, written to live datasets: straight to the emulator and, as the applier, through the gateway."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from dataflow.errors import NorenError
from dataflow.ledger import Ledger
from dataflow.objects import LocalObjects
from dataflow.project import Project
from iam.apply import apply
from iam.entries import entries
from iam.files import AccessFiles, load
from iam.live import Live
from iam.plan import Change, Settings, wanted
from iam.record import LEDGER, LedgerRecord

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
            for name, stated in content.items():
                (tmp_path / "iam" / folder / f"{name}.json").write_text(json.dumps(stated))
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


@pytest.fixture
def record(tmp_path: Path) -> LedgerRecord:
    return LedgerRecord(Ledger(LocalObjects(tmp_path / "ledger"), LEDGER), "user:ada", "c0ffee")


@pytest.mark.usefixtures("clean")
def test_an_additive_list_loses_what_this_tool_added_and_nothing_else(as_, admin, write, record):
    apply(as_(APPLIER), write({"raw__t": [*OWNERS, READER]}, mode="additive"), record=record)
    resource = Live(admin).dataset("raw__t")
    foreign = {"role": "READER", "groupByEmail": "analysts@example.com"}
    Live(admin).patch("raw__t", [*resource["access"], foreign], resource["etag"])
    changes = apply(as_(APPLIER), write({"raw__t": OWNERS}, mode="additive"), record=record)
    assert said(changes) == ["raw__t: - READER group business@example.com"]
    assert foreign in live(admin, "raw__t")
    assert apply(as_(APPLIER), write({"raw__t": OWNERS}, mode="additive"), record=record) == []


@pytest.mark.usefixtures("clean")
def test_every_change_is_on_record_with_who_what_and_revision(as_, write, record, tmp_path):
    apply(as_(APPLIER), write({"raw__t": OWNERS}), record=record)
    apply(as_(APPLIER), write({"raw__t": [*OWNERS, READER]}), record=record)
    apply(as_(APPLIER), write({"raw__t": [*OWNERS, READER]}), record=record)
    ledger = Ledger(LocalObjects(tmp_path / "ledger"), LEDGER)
    made, changed = ledger.entries()
    assert (made.kind, made.who, made.details["dataset"], len(made.details["added"])) == (
        "access.intended",
        "user:ada",
        "raw__t",
        2,
    )
    assert changed.details == {
        "dataset": "raw__t",
        "added": [{"groupByEmail": "business@example.com", "role": "roles/bigquery.dataViewer"}],
        "removed": [],
        "revision": "c0ffee",
    }
    assert ledger.verify() == []


@pytest.mark.usefixtures("clean")
def test_a_view_that_was_made_again_is_authorized_anew(as_, admin, write, record):
    """The entry is still shown, but binds to the view that is gone (dbt-bigquery#1189)."""
    files = write({"warehouse__t": OWNERS, "marts__t": OWNERS}, {"warehouse__t": [VIEW]})
    apply(as_(APPLIER), files, grants_only=True)
    admin.query("CREATE VIEW marts__t.counted AS SELECT 1 AS n").result()
    apply(as_(APPLIER), files, record=record)
    assert apply(as_(APPLIER), files, record=record) == []
    admin.query("DROP VIEW marts__t.counted").result()
    admin.query("CREATE VIEW marts__t.counted AS SELECT 2 AS n").result()
    before = etag(admin, "warehouse__t")
    assert said(apply(as_(APPLIER), files, dry_run=True, record=record)) == [
        "warehouse__t: renewed view noren-test.marts__t.counted"
    ]
    assert said(apply(as_(APPLIER), files, record=record)) == ["warehouse__t: renewed view noren-test.marts__t.counted"]
    assert etag(admin, "warehouse__t") != before
    assert len(live(admin, "warehouse__t")) == 3
    assert apply(as_(APPLIER), files, record=record) == []


@pytest.mark.usefixtures("clean")
def test_a_view_that_was_built_a_moment_ago_is_authorized_anew_where_nothing_is_on_record(as_, admin, write):
    files = write({"warehouse__t": OWNERS, "marts__t": OWNERS}, {"warehouse__t": [VIEW]})
    apply(as_(APPLIER), files, grants_only=True)
    admin.query("CREATE VIEW marts__t.counted AS SELECT 1 AS n").result()
    apply(as_(APPLIER), files)
    rebuilt = Settings(rebuilt=frozenset({("marts__t", "counted")}))
    assert said(apply(as_(APPLIER), files, settings=rebuilt)) == [
        "warehouse__t: renewed view noren-test.marts__t.counted"
    ]
    assert apply(as_(APPLIER), files) == []


@pytest.mark.usefixtures("clean")
def test_a_withheld_view_loses_its_authorization(as_, admin, write):
    files = write({"warehouse__t": OWNERS, "marts__t": OWNERS}, {"warehouse__t": [VIEW]})
    apply(as_(APPLIER), files, grants_only=True)
    admin.query("CREATE VIEW marts__t.counted AS SELECT 1 AS n").result()
    apply(as_(APPLIER), files)
    withheld = Settings(withheld=frozenset({("marts__t", "counted")}))
    assert said(apply(as_(APPLIER), files, settings=withheld)) == [
        "warehouse__t: - view noren-test.marts__t.counted",
        "warehouse__t: skipped view noren-test.marts__t.counted: it did not pass the check after the build",
    ]


@pytest.mark.usefixtures("clean")
def test_a_kill_between_the_two_patches_of_a_renewal_heals_on_the_next_run(as_, admin, write, record, monkeypatch):
    files = write({"warehouse__t": OWNERS, "marts__t": OWNERS}, {"warehouse__t": [VIEW]})
    apply(as_(APPLIER), files, grants_only=True)
    admin.query("CREATE VIEW marts__t.counted AS SELECT 1 AS n").result()
    apply(as_(APPLIER), files, record=record)
    patch, patches = Live.patch, []

    def killed(self: Live, dataset: str, *arguments: Any) -> bool:
        if patches:
            raise KeyboardInterrupt
        patches.append(dataset)
        return patch(self, dataset, *arguments)

    monkeypatch.setattr(Live, "patch", killed)
    admin.query("CREATE OR REPLACE VIEW marts__t.counted AS SELECT 2 AS n").result()
    with pytest.raises(KeyboardInterrupt):
        apply(as_(APPLIER), files, record=record)
    monkeypatch.undo()
    assert len(live(admin, "warehouse__t")) == 2
    assert said(apply(as_(APPLIER), files, record=record)) == ["warehouse__t: + view noren-test.marts__t.counted"]


@pytest.mark.usefixtures("clean")
def test_a_kill_between_grants_and_views_heals_on_the_next_run(as_, admin, write):
    """Half of the datasets are done when the first phase dies; no view is authorized yet."""
    files = write({"warehouse__t": [*OWNERS, READER], "marts__t": [*OWNERS, READER]}, {"warehouse__t": [VIEW]})

    def die(change: Change) -> None:
        if change.dataset == "warehouse__t":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply(as_(APPLIER), files, grants_only=True, say=die)
    admin.query("CREATE OR REPLACE VIEW marts__t.counted AS SELECT 1 AS n").result()
    assert said(apply(as_(APPLIER), files)) == ["warehouse__t: + view noren-test.marts__t.counted"]
    assert apply(as_(APPLIER), files) == []


@pytest.mark.usefixtures("clean")
def test_the_applier_does_not_lock_itself_out(as_, admin, write):
    apply(as_(APPLIER), write({"raw__t": OWNERS}))
    without = write({"raw__t": OWNERS[:1]})
    settings = Settings(identity=APPLIER)
    assert said(apply(as_(APPLIER), without, settings=settings)) == [
        f"raw__t: kept OWNER user {APPLIER}: {APPLIER} would lock itself out"
    ]
    assert len(live(admin, "raw__t")) == 2


@pytest.mark.usefixtures("clean")
def test_the_last_owner_stays(as_, admin, write):
    apply(as_(APPLIER), write({"raw__t": OWNERS}))
    changes = apply(as_(APPLIER), write({"raw__t": [READER]}))
    assert [change.action for change in changes] == ["add", "keep", "keep"]
    assert len(live(admin, "raw__t")) == 3


@pytest.mark.usefixtures("clean")
def test_a_service_identity_in_use_keeps_its_last_entry_unless_it_is_let_go(as_, admin, write):
    dbt = "dbt@noren-test.iam.gserviceaccount.com"
    apply(as_(APPLIER), write({"raw__t": [*OWNERS, {"role": "READER", "userByEmail": dbt}]}))
    [kept] = apply(as_(APPLIER), write({"raw__t": OWNERS}))
    assert (kept.action, kept.why) == ("keep", f"{dbt} is in use (iam/principals.json) and would have no access left")
    changes = apply(as_(APPLIER), write({"raw__t": OWNERS}), settings=Settings(let_go=frozenset({dbt})))
    assert said(changes) == [f"raw__t: - READER user {dbt}"]


@pytest.mark.usefixtures("clean")
def test_a_dataset_without_an_owner_is_not_made(as_, admin, write):
    with pytest.raises(NorenError, match=r"iam/datasets/raw__t\.json: the dataset has no owner"):
        apply(as_(APPLIER), write({"raw__t": [READER]}))
    assert Live(admin).dataset("raw__t") is None


@pytest.mark.usefixtures("clean")
def test_a_source_without_a_file_gets_its_authorized_views_and_keeps_its_grants(as_, admin, write):
    admin.create_dataset("warehouse__t")
    admin.create_dataset("marts__t")
    admin.query("CREATE VIEW marts__t.counted AS SELECT 1 AS n").result()
    before = live(admin, "warehouse__t")
    files = write({"marts__t": OWNERS}, {"warehouse__t": [VIEW]}, mode="additive")
    client = admin  # the applier owns neither
    assert "warehouse__t: + view noren-test.marts__t.counted" in said(apply(client, files))
    assert live(admin, "warehouse__t")[: len(before)] == before


PROCESS = """
import sys
from pathlib import Path
from dataflow.ledger import Ledger
from dataflow.objects import LocalObjects
from dataflow.project import Project
from iam.apply import apply
from iam.files import load
from iam.record import LEDGER, LedgerRecord
from scripts.stack.callers import caller_client
from scripts.stack.endpoints import load as endpoints

root, home, identity = sys.argv[1:]
files, stack = load(Project(Path(root), "noren-test")), endpoints(Path(home))
for _ in sys.stdin:  # a line a round
    record = LedgerRecord(Ledger(LocalObjects(Path(root) / "ledger"), LEDGER), "user:ada", "")
    apply(caller_client(stack, identity), files, record=record)
    print("done", flush=True)
"""


def race(as_, admin, write, stack, tmp_path: Path, rounds: int) -> None:
    """Two processes apply at once, `rounds` times, each time after the lists were spoiled; they end in the files'
    state."""
    names = ("raw__t", "warehouse__t", "marts__t")
    groups = [{"role": "READER", "groupByEmail": f"group{n}@example.com"} for n in range(6)]
    files = write({name: [*OWNERS, *groups] for name in names}, {"warehouse__t": [VIEW]})
    apply(as_(APPLIER), files, grants_only=True)
    admin.query("CREATE OR REPLACE VIEW marts__t.counted AS SELECT 1 AS n").result()
    arguments = [sys.executable, "-c", PROCESS, str(tmp_path), str(stack.home.root), APPLIER]
    processes = [
        subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    try:
        for number in range(rounds):
            for name in names:
                resource = Live(admin).dataset(name)
                kept = [entry for entry in resource["access"] if entry.get("role") == "OWNER"]
                Live(admin).patch(name, [*kept, *groups[: number % 7]], resource["etag"])
            if number % 3 == 0:
                admin.query("CREATE OR REPLACE VIEW marts__t.counted AS SELECT 1 AS n").result()
            for process in processes:
                process.stdin.write("go\n")
                process.stdin.flush()
            assert [process.stdout.readline() for process in processes] == ["done\n"] * 2
            for name in names:
                assert set(entries(live(admin, name))) == set(wanted(files, name)), (number, name)
    finally:
        for process in processes:
            process.stdin.close()
            process.wait(20)
            process.stdout.close()
    assert apply(as_(APPLIER), files) == []


@pytest.mark.usefixtures("clean")
def test_two_processes_at_once_end_in_the_files_state(as_, admin, write, stack, tmp_path):
    race(as_, admin, write, stack, tmp_path, 4)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("clean")
def test_two_processes_at_once_end_in_the_files_state_a_hundred_times(as_, admin, write, stack, tmp_path):
    race(as_, admin, write, stack, tmp_path, 100)


@pytest.mark.usefixtures("clean")
def test_writers_with_different_files_lose_no_entry(as_, admin, write, stack):
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


@pytest.mark.usefixtures("clean")
def test_an_applier_that_may_not_change_a_source_is_told_before(as_, admin, write):
    """Changing what a view may read takes bigquery.datasets.update on the source (dbt-core#2911)."""
    apply(admin, write({"raw__t": OWNERS, "warehouse__t": OWNERS[:1]}))
    files = write({"raw__t": [*OWNERS, READER], "warehouse__t": [*OWNERS[:1], READER]})
    with pytest.raises(NorenError, match=r"may not change the access lists of warehouse__t: .* Nothing was changed"):
        apply(admin, files, settings=Settings(identity=APPLIER))
    assert len(live(admin, "raw__t")) == 2


def test_the_repositorys_own_files_are_applied_already(as_, files):
    """By this folder's fixture, straight to the emulator; the applier, through the gateway, finds no difference."""
    assert apply(as_(APPLIER), files) == []
    assert apply(as_(APPLIER), replace(files), grants_only=True) == []
