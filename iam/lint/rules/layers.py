"""Rules of what a layer may be granted to: iam/layers.yaml says it, raw most strictly of all."""

from collections.abc import Iterator

from iam.engine.rights import RIGHTS, Right
from iam.entries import BASIC_ROLES, Entry
from iam.files.shape import did_you_mean
from iam.layers import Layer, layer_name
from iam.lint.finding import Finding, Severity, Spot
from iam.lint.rule import Context, Rule, place
from iam.lint.rules.people import is_service
from iam.temporary import TITLE, note

RAW = "raw"
DATA = frozenset({Right.READ, Right.WRITE, Right.OWN})


class NoLayer(Rule):
    """Every dataset belongs to a layer of iam/layers.yaml: <layer>__<domain>, or <layer>.

    Without one it is not known where it would be made, whom it may be granted to, and whether its list is ours alone.
    """

    code, name = "NRN020", "no-layer"

    def check(self, context: Context) -> Iterator[Finding]:
        known = [layer.name for layer in context.files.layers]
        for dataset in context.files.datasets:
            if context.files.layers.get(dataset) is None:
                hint = did_you_mean(layer_name(dataset), known) or "add the layer"
                yield self.finding(
                    Spot(f"iam/datasets/{dataset}.json"),
                    f"iam/layers.yaml has no layer for the dataset {dataset}",
                    hint,
                )


class NoOwner(Rule):
    """Every dataset has an owner among its own entries.

    BigQuery gives a dataset that is made without an access list to everybody with a basic role on the project, and one
    without an owner can be changed by nobody who is named in a file.
    """

    code, name = "NRN021", "no-owner"

    def check(self, context: Context) -> Iterator[Finding]:
        for dataset, entries in context.files.datasets.items():
            if not any(entry.role == BASIC_ROLES["OWNER"] and entry.condition is None for entry in entries):
                hint = 'add {"role": "OWNER", "userByEmail": "acl-applier@${project}.iam.gserviceaccount.com"}'
                yield self.finding(Spot(f"iam/datasets/{dataset}.json"), f"the dataset {dataset} has no owner", hint)


class BroaderThanLayer(Rule):
    """No grant is broader than iam/layers.yaml allows: neither to another kind of group nor with a broader role.

    A grant on the project counts for every layer. A role whose rights are not known here is taken for too broad. What
    `noren acl grant-temporary` wrote, with a second person's approval, may cross a layer for its time.
    """

    code, name = "NRN022", "broader-than-layer"

    def check(self, context: Context) -> Iterator[Finding]:
        for dataset, entries in context.files.datasets.items():
            layer = context.files.layers.get(dataset)
            if layer is None or layer.name == RAW:  # of raw another rule speaks
                continue
            for entry in entries:
                if not approved(entry) and (told := too_broad(context, layer, entry)):
                    yield self.finding(place(entry), told, "iam/layers.yaml says what the layer allows")
        for entry in context.files.project_grants:
            if not DATA & RIGHTS.get(entry.role, frozenset()):
                continue
            for layer in context.files.layers:
                if layer.name != RAW and (told := too_broad(context, layer, entry)):
                    hint = f"grant it on single datasets: on the project it holds for {layer.name}__* too"
                    yield self.finding(place(entry), told, hint)
                    break


class RawReachable(Rule):
    """Nobody outside of the groups and service identities that layers.yaml allows reaches raw data.

    Neither by an entry, nor through a group in an allowed group, nor by a role on the project or above it, nor through
    a view, dataset or routine that is authorized on it.
    """

    code, name = "NRN023", "raw-reachable"

    def check(self, context: Context) -> Iterator[Finding]:
        raw = {d: layer for d in context.files.datasets if (layer := context.files.layers.get(d)) and layer.name == RAW}
        for dataset, layer in raw.items():
            for entry in context.files.datasets[dataset]:
                if Right.READ in RIGHTS.get(entry.role, DATA):
                    yield from self._reached(context, layer, entry, dataset)
        for dataset, entries in context.files.authorized.items():
            if layer_name(dataset) == RAW:
                for entry in entries:
                    told = f"{entry} is authorized on {dataset}: whoever may ask it reads raw data"
                    yield self.finding(place(entry), told, "build it on the anonymized lane")
        if not raw:
            return
        imported = context.files.imported.inherited if context.files.imported else ()
        for entry in (*context.files.project_grants, *imported):
            if Right.READ in RIGHTS.get(entry.role, frozenset()):
                yield from self._reached(context, next(iter(raw.values())), entry, "every raw dataset")

    def _reached(self, context: Context, layer: Layer, entry: Entry, what: str) -> Iterator[Finding]:
        if told := too_broad(context, layer, entry):
            yield self.finding(place(entry), f"{entry} reaches {what}: {told}", "remove the entry")
            return
        if entry.kind != "groupByEmail":
            return
        for group in context.files.groups:
            inside = entry.subject in context.files.groups.of(group.email)
            if inside and group.kind not in layer.groups and group.place is not None:
                told = f"group {group.email} ({group.kind}) is in {entry.subject}, and so reaches {what}"
                yield self.finding(group.place, told, f"take it out of {entry.subject}")


class SourceWithoutAFile(Rule):
    """The file of iam/authorized_views/ is named for a dataset that has a file of its own.

    The file is named for the *source*, the dataset that is read: a file for the dataset that the views are in
    authorizes the wrong way round.
    """

    code, name, severity = "NRN024", "source-without-a-file", Severity.WARNING

    def check(self, context: Context) -> Iterator[Finding]:
        for dataset in context.files.authorized.keys() - context.files.datasets.keys():
            told = f"there is no iam/datasets/{dataset}.json: the file is named for the dataset that is read"
            hint = did_you_mean(dataset, context.files.datasets) or "add the dataset, if it is ours"
            yield self.finding(Spot(f"iam/authorized_views/{dataset}.json"), told, hint)


def approved(entry: Entry) -> bool:
    """Whether the entry ends by itself and names a second person who approved it; other rules look at both."""
    condition = entry.condition or {}
    return condition.get("title") == TITLE and note(str(condition.get("description", ""))) is not None


def too_broad(context: Context, layer: Layer, entry: Entry) -> str:
    """Why the layer does not allow the entry; empty when it does, or when another rule speaks of it."""
    if entry.deleted or entry.authorizes:
        return ""
    rights = RIGHTS.get(entry.role)
    if entry.kind == "groupByEmail":
        group = context.files.groups.get(str(entry.subject))
        if group is None:
            return f"group {entry.subject} is not in iam/groups.json" if layer.name == RAW else ""
        if group.kind not in layer.groups:
            allowed = ", ".join(layer.groups)
            return f"group {group.email} is of the kind {group.kind}, and {layer.name} is granted to {allowed} only"
        widest = layer.groups[group.kind]
        if rights is None or not rights <= RIGHTS[BASIC_ROLES[widest]]:
            return f"{entry.role} is broader than {widest}, the most that {group.kind} may have on {layer.name}"
        return ""
    if entry.kind == "userByEmail" and is_service(str(entry.subject)):
        name = str(entry.subject).partition("@")[0]
        if layer.principals is not None and name not in layer.principals:
            allowed = ", ".join(sorted(layer.principals))
            return f"of the service identities {layer.name} is granted to {allowed} only"
        return ""
    return f"{layer.name} is granted to groups and service identities only" if layer.name == RAW else ""
