"""What has to change on one live dataset so that it is what the files say. Pure: it is given what is live."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field

from dataflow.errors import NorenError
from iam.entries import BASIC_ROLES, Entry, Json, entries
from iam.files import AccessFiles
from iam.lockout import locked_out

DAY_MS = 86_400_000

SIGNS = {"create": "created", "add": "+", "remove": "-", "renew": "renewed", "keep": "kept", "skip": "skipped"}


@dataclass(frozen=True)
class Change:
    """What was done, or would be, to one dataset.

    action: `create`, `add`, `remove`; `renew` for the authorization of a view that was made again; `skip` for one whose
        view does not exist yet; `keep` for an entry that the files lack and that stays all the same.
    what: the entry, as a person reads it; for `create` the dataset's location and settings.
    why: for `skip` and `keep`.
    """

    dataset: str
    action: str
    what: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.dataset}: {SIGNS[self.action]} {self.what}{': ' * bool(self.why)}{self.why}"

    @property
    def changes(self) -> bool:
        """Whether something is done at all."""
        return self.action not in ("keep", "skip")

    def as_json(self) -> dict[str, str]:
        return {key: value for key, value in asdict(self).items() if value}


@dataclass(frozen=True)
class Memory:
    """What earlier runs left on record.

    ours: dataset -> keys of the entries that this tool added. views: dataset -> key of an authorized view's entry ->
    when that view had been made, milliseconds, as it was authorized.
    """

    ours: Mapping[str, frozenset[str]] = field(default_factory=dict)
    views: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


NOTHING = Memory()


@dataclass(frozen=True)
class Settings:
    """How to plan.

    grants_only: leave authorized views, datasets and routines as they are: the phase before the build.
    identity: who applies, an e-mail, where that is known. let_go: service identities that may lose their last entry.
    rebuilt: views (dataset, table) that were made a moment ago: counts for those that no earlier run left on record.
    withheld: views that must not be authorized.
    """

    grants_only: bool = False
    identity: str | None = None
    let_go: frozenset[str] = frozenset()
    rebuilt: frozenset[tuple[str, str]] = frozenset()
    withheld: frozenset[tuple[str, str]] = frozenset()


GRANTS_ONLY, EVERYTHING = Settings(grants_only=True), Settings()


@dataclass(frozen=True)
class DatasetPlan:
    """changes: for people. added, removed, renewed: entries; a renewed one is removed and then added again."""

    changes: tuple[Change, ...]
    present: tuple[Entry, ...] = ()
    added: tuple[Entry, ...] = ()
    removed: tuple[Entry, ...] = ()
    renewed: tuple[Entry, ...] = ()

    @property
    def differs(self) -> bool:
        return bool(self.added or self.removed or self.renewed)

    @property
    def access(self) -> list[Json]:
        """The access list to send. What is to be renewed is missing from it: the next plan adds it."""
        kept = [entry.given for entry in self.present if entry not in (*self.removed, *self.renewed)]
        return kept + [entry.resource for entry in self.added]


def wanted(files: AccessFiles, dataset: str) -> tuple[Entry, ...]:
    """All entries that the files state for a dataset; those of members that were deleted grant nothing and are left
    out."""
    stated = (*files.datasets.get(dataset, ()), *files.authorized.get(dataset, ()))
    return tuple(entry for entry in stated if not entry.deleted)


def stated(files: AccessFiles) -> list[str]:
    """The datasets that the files speak of, in order."""
    return sorted(files.datasets.keys() | files.authorized.keys())


def difference(
    live: Iterable[Entry], desired: Iterable[Entry], authoritative: bool, ours: Collection[str] = ()
) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """(added, removed): what to add to the live list and what to remove from it.

    An additive list loses only what this tool added: `ours`, keys of entries. An entry of a kind that is not known here
    is never removed; one whose member was deleted always: it grants nothing, and BigQuery refuses every list with it
    (terraform-provider-google#7896).
    """
    live = tuple(live)
    wanted_here = frozenset(desired := tuple(desired))
    present = frozenset(live)
    added = tuple(entry for entry in desired if entry not in present)
    removed = tuple(
        entry
        for entry in live
        if entry not in wanted_here
        and (entry.deleted or (entry.kind != "unknown" and (authoritative or entry.key in ours)))
    )
    return added, removed


def plan(
    files: AccessFiles,
    dataset: str,
    access: list[Json],
    created: Callable[[Entry], str | None],
    settings: Settings,
    memory: Memory = NOTHING,
) -> DatasetPlan:
    """The plan for a dataset that exists.

    access: its live list. created: when the view of an entry was made, None when it does not exist.
    """
    present = entries(access)
    grants_only = settings.grants_only
    considered = [entry for entry in present if not (grants_only and entry.authorizes)]
    desired = [entry for entry in wanted(files, dataset) if not (grants_only and entry.authorizes)]
    if dataset not in files.datasets:  # its grants are somebody else's: authorized views alone are ours
        considered = [entry for entry in considered if entry.authorizes]
    held = [entry for entry in desired if _view(entry) in settings.withheld]
    desired = [entry for entry in desired if entry not in held]
    ours = memory.ours.get(dataset, frozenset())
    added, removed = difference(considered, desired, _authoritative(files, dataset), ours)
    removed = (*removed, *(entry for entry in considered if entry in held and entry not in removed))
    missing = tuple(entry for entry in added if entry.authorizes and created(entry) is None)
    added = tuple(entry for entry in added if entry not in missing)
    kept = locked_out(files, present, removed, added, settings.identity, settings.let_go)
    removed = tuple(entry for entry in removed if entry not in kept)
    renewed = () if grants_only else tuple(_renewed(dataset, considered, desired, created, settings, memory))
    changes = (
        *(Change(dataset, "add", str(entry)) for entry in added),
        *(Change(dataset, "remove", str(entry)) for entry in removed),
        *(Change(dataset, "renew", str(entry)) for entry in renewed),
        *(
            Change(dataset, "skip", str(entry), "it does not exist yet, run this again after the build")
            for entry in missing
        ),
        *(Change(dataset, "skip", str(entry), "it did not pass the check after the build") for entry in held),
        *(Change(dataset, "keep", str(entry), why) for entry, why in kept.items()),
    )
    return DatasetPlan(changes, present, added, removed, renewed)


def creation(
    files: AccessFiles, dataset: str, created: Callable[[Entry], str | None], settings: Settings
) -> list[Change]:
    """The changes that make a dataset which does not exist yet. Raises NorenError when the files give it no owner."""
    if not any(entry.role == BASIC_ROLES["OWNER"] for entry in files.datasets[dataset]):
        raise NorenError(
            f"iam/datasets/{dataset}.json: the dataset has no owner, so nobody could change it once it is made: "
            "add an entry with the role OWNER."
        )
    changes = [Change(dataset, "create", description(files, dataset))]
    changes += [Change(dataset, "add", str(entry)) for entry in files.datasets[dataset] if not entry.deleted]
    for entry in () if settings.grants_only else files.authorized.get(dataset, ()):
        if created(entry) is None:
            changes.append(Change(dataset, "skip", str(entry), "it does not exist yet, run this again after the build"))
        else:
            changes.append(Change(dataset, "add", str(entry)))
    return changes


def new(files: AccessFiles, dataset: str) -> Json:
    """The resource of a dataset that does not exist yet. Its access is stated: else BigQuery grants project roles."""
    layer = files.layers.of(dataset)
    resource: Json = {
        "datasetReference": {"projectId": files.project, "datasetId": dataset},
        "location": layer.location,
        "description": layer.description,
        "labels": dict(layer.labels),
        "access": [entry.resource for entry in files.datasets[dataset] if not entry.deleted],
    }
    if layer.partition_expiry_days is not None:
        resource["defaultPartitionExpirationMs"] = str(layer.partition_expiry_days * DAY_MS)
    return resource


def description(files: AccessFiles, dataset: str) -> str:
    def parts() -> Iterator[str]:
        layer = files.layers.of(dataset)
        yield f"in {layer.location}"
        if layer.partition_expiry_days is not None:
            yield f"partitions expire after {layer.partition_expiry_days} days"
        yield ", ".join(f"{key}={value}" for key, value in layer.labels.items())

    return "; ".join(parts())


def _authoritative(files: AccessFiles, dataset: str) -> bool:
    """What a dataset without a file of its own has beside our authorizations is never ours to remove."""
    if dataset not in files.datasets:
        return False
    return files.layers.of(dataset).apply == "authoritative"


def _renewed(
    dataset: str,
    considered: Iterable[Entry],
    desired: Collection[Entry],
    created: Callable[[Entry], str | None],
    settings: Settings,
    memory: Memory,
) -> Iterator[Entry]:
    """Authorizations whose view was made again since: BigQuery binds them to the view's identity, not to its name
    (dbt-bigquery#1189), and shows the dead entry all the same."""
    known = memory.views.get(dataset, {})
    wanted_here = frozenset(desired)
    for entry in considered:
        if entry.kind != "view" or entry not in wanted_here:
            continue
        made = known.get(entry.key)
        if _view(entry) in settings.rebuilt if made is None else created(entry) not in (None, made):
            yield entry


def _view(entry: Entry) -> tuple[str, str] | None:
    return (entry.subject["datasetId"], entry.subject["tableId"]) if entry.kind == "view" else None
