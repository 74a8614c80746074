"""Sets of readers are what the engine says caller by caller, on random worlds."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from iam.difference.audience import ANYBODY, Audience, everybody, of_domain
from iam.engine import Access, Action, DatasetName, Kind, PolicyTag, Right, Table, TableName, World, world
from iam.engine.rights import FINE_GRAINED_READER, MASKED_READER
from iam.entries import Entry
from iam.groups import Group, Groups

P = "p"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DATASETS = ("a", "b", "c")
GROUPS = [f"g{n}@x.com" for n in range(4)]
PEOPLE = [f"p{n}@x.com" for n in range(3)]
VIEWS = [f"{dataset}.v{n}" for dataset in DATASETS for n in range(2)]
TABLES = [f"{dataset}.t" for dataset in DATASETS]
JOBS = Entry({"role": "roles/bigquery.jobUser", "iamMember": "allUsers"})
VIEWER = Entry({"role": "roles/viewer", "userByEmail": PEOPLE[0]})
PAST, FUTURE = "2025-01-01T00:00:00Z", "2027-01-01T00:00:00Z"


@st.composite
def groups(draw: st.DrawFn) -> Groups:
    """No cycles: parents have lower numbers."""
    made = []
    for number, email in enumerate(GROUPS):
        parents = draw(st.frozensets(st.sampled_from(GROUPS[:number]), max_size=2)) if number else frozenset()
        made.append(Group(email, "analysis", "", "", parents, draw(st.frozensets(st.sampled_from(PEOPLE)))))
    return Groups(made)


MEMBERS = st.one_of(
    st.sampled_from(GROUPS).map(lambda email: {"groupByEmail": email}),
    st.sampled_from(PEOPLE).map(lambda email: {"userByEmail": email}),
    st.sampled_from([{"domain": "x.com"}, {"domain": "y.com"}]),
    st.sampled_from([{"specialGroup": name} for name in ("allAuthenticatedUsers", "projectReaders")]),
    st.just({"iamMember": "allUsers"}),
)
CONDITIONS = st.sampled_from(
    [None, None, f'request.time < timestamp("{PAST}")', f'request.time < timestamp("{FUTURE}")', "odd(1)"]
)


@st.composite
def grants(draw: st.DrawFn) -> Entry:
    entry = dict(draw(MEMBERS), role=draw(st.sampled_from(["READER", "OWNER", "roles/bigquery.metadataViewer"])))
    condition = draw(CONDITIONS)
    return Entry(entry | ({"condition": {"expression": condition}} if condition else {}))


@st.composite
def authorizations(draw: st.DrawFn) -> Entry:
    dataset, _, view = draw(st.sampled_from(VIEWS)).partition(".")
    reference = {"projectId": P, "datasetId": dataset}
    if draw(st.booleans()):
        return Entry({"dataset": {"dataset": reference, "targetTypes": ["VIEWS"]}})
    return Entry({"view": reference | {"tableId": view}})


def name(short: str) -> TableName:
    return TableName(P, *short.split("."))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    entries = st.lists(st.one_of(grants(), authorizations()), max_size=5)
    made = world(
        P,
        draw(groups()),
        {dataset: draw(entries) for dataset in DATASETS},
        project_grants=[JOBS, VIEWER, *draw(st.lists(grants(), max_size=1))],
    )
    tables = {}
    for short in TABLES:
        tags = draw(st.sampled_from([{}, {}, {"c": "tag"}]))
        tables[name(short)] = Table(name(short), tags=tags, grants=tuple(draw(st.lists(grants(), max_size=1))))
    for short in VIEWS:
        reads = frozenset(map(name, draw(st.frozensets(st.sampled_from([*VIEWS, *TABLES]), min_size=1, max_size=2))))
        touches = {source: draw(st.sampled_from([frozenset({"c"}), frozenset({"d"})])) for source in reads}
        tables[name(short)] = Table(
            name(short),
            kind=Kind.VIEW,
            reads=reads,
            touches=draw(st.sampled_from([{}, touches])),
            unreadable=draw(st.sampled_from(["", "", "", "odd"])),
        )
    readers = tuple(Entry(draw(MEMBERS) | {"role": FINE_GRAINED_READER}) for _ in range(2))
    masked = (Entry(draw(MEMBERS) | {"role": MASKED_READER}),)
    tag = PolicyTag("tag", "tag", readers, masked)
    return World(P, made.groups, made.datasets, tables, {"tag": tag}, made.project_grants)


@settings(max_examples=80, deadline=None)
@given(worlds())
def test_readers_are_those_whom_the_engine_lets_query(made: World) -> None:
    callers = everybody(made) | set(PEOPLE)
    audience, access = Audience(made, NOW, callers), Access(made, NOW)
    for short in (*VIEWS, *TABLES):
        answers = {who: access.decide(who, Action.QUERY, name(short)) for who in callers}
        allowed = {who for who, answer in answers.items() if answer.allowed}
        everything = audience.readers(name(short)) & audience.column(name(short), "c")
        assert everything == allowed, short
        clear = audience.readers(name(short), clear=True) & audience.column(name(short), "c", clear=True)
        assert clear == {who for who in allowed if not answers[who].masked}, short


@settings(max_examples=30, deadline=None)
@given(worlds())
def test_rights_are_the_engines(made: World) -> None:
    callers = everybody(made)
    audience, access = Audience(made, NOW, callers), Access(made, NOW)
    for dataset in DATASETS:
        where = DatasetName(P, dataset)
        allowed = {who for who in callers if Right.OWN in access.rights(who, where)}
        assert audience.having(Right.OWN, where) == allowed


def test_everybody_has_those_who_stand_for_others() -> None:
    made = world(P, Groups(), {"a": [Entry({"role": "READER", "domain": "x.com"})]})
    assert everybody(made) == {ANYBODY, of_domain("x.com")}


def test_people_who_changed_groups_are_asked_about() -> None:
    before = world(P, Groups([Group("g@x.com", "", "", "", members=frozenset({"ana@x.com", "bo@x.com"}))]), {})
    after = world(P, Groups([Group("g@x.com", "", "", "", members=frozenset({"ana@x.com"}))]), {})
    assert everybody(before, after) == {ANYBODY, "g@x.com", "bo@x.com"}
