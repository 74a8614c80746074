"""Laws of the engine."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from iam.engine import Action, TableName, decide, world
from iam.entries import Entry
from iam.groups import Group, Groups

PEOPLE = ("ana@x.com", "bo@x.com")
GROUPS = Groups([Group("g@x.com", "", "", "", members=frozenset({"ana@x.com"}))])
JOBS = [Entry({"role": "roles/bigquery.jobUser", "iamMember": "allUsers"})]
OBJECTS = ("d.t", "e.t", "d.v", "e.w", "f.u")
entries = st.sampled_from(
    [
        *({"role": role, "userByEmail": who} for role in ("READER", "OWNER") for who in PEOPLE),
        {"role": "READER", "groupByEmail": "g@x.com"},
        *({"view": {"projectId": "p", "datasetId": name[0], "tableId": name[2]}} for name in ("d.v", "e.w", "f.u")),
    ]
).map(Entry)
access = st.fixed_dictionaries({name: st.lists(entries, max_size=3) for name in "def"})
views = st.fixed_dictionaries(
    {
        "d.v": st.lists(st.sampled_from(["d.t", "e.t"]), min_size=1),
        "e.w": st.lists(st.sampled_from(["d.t", "d.v"]), min_size=1),
        "f.u": st.lists(st.sampled_from(["e.w", "d.v", "e.t"]), min_size=1),
    }
)
questions = st.tuples(st.sampled_from(PEOPLE), st.sampled_from(OBJECTS))


def ask(lists, reads, question):
    who, name = question
    return decide(world("p", GROUPS, lists, reads, JOBS), who, Action.QUERY, TableName("p", *name.split(".")))


@given(access, views, questions, st.sampled_from("def"), entries)
def test_one_more_entry_never_takes_a_right_away(lists, reads, question, dataset, entry):
    before = ask(lists, reads, question).allowed
    after = ask({**lists, dataset: [*lists[dataset], entry]}, reads, question).allowed
    assert after or not before


@given(access, views, questions)
def test_the_order_of_entries_does_not_count(lists, reads, question):
    turned = {name: list(reversed(given)) for name, given in lists.items()}
    one, other = ask(lists, reads, question), ask(turned, reads, question)
    assert (one.allowed, one.denial, one.chain) == (other.allowed, other.denial, other.chain)


@given(access, views, questions)
def test_a_yes_has_reasons_and_a_no_says_what_is_missing(lists, reads, question):
    answer = ask(lists, reads, question)
    if answer.allowed:
        assert answer.reasons
        assert not answer.denial
        assert not answer.missing
    else:
        assert answer.denial.startswith("Access Denied: ")
        assert answer.missing


@given(access, views, questions)
def test_a_view_that_reads_more_is_never_seen_by_more(lists, reads, question):
    more = {name: [*sources, "d.t"] for name, sources in reads.items()}
    assert ask(lists, reads, question).allowed or not ask(lists, more, question).allowed


def test_an_answer_is_proved_only_when_project_iam_was_imported():
    lists = {"d": [Entry({"role": "READER", "userByEmail": "ana@x.com"})]}
    known = world("p", GROUPS, lists, {}, JOBS)
    table = TableName("p", "d", "t")
    assert decide(known, "ana@x.com", Action.QUERY, table).certainty.value == "as far as iam/ tells"
    imported = replace(known, imported=frozenset({"p"}))
    assert decide(imported, "ana@x.com", Action.QUERY, table).certainty.value == "proved"
    doubtful = world("p", GROUPS, {"d": [Entry({"role": "roles/custom", "userByEmail": "bo@x.com"})]}, {}, JOBS)
    answer = decide(replace(doubtful, imported=frozenset({"p"})), "bo@x.com", Action.QUERY, table)
    assert (answer.allowed, answer.certainty.value) == (False, "as far as iam/ tells")
    assert answer.doubts == ("What the role roles/custom allows is not known here.",)
