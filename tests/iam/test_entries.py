import pytest

from iam.entries import Entry, entries

GROUP = {"role": "READER", "groupByEmail": "analysts@example.com"}


@pytest.mark.parametrize(
    "other",
    [
        {"role": "roles/bigquery.dataViewer", "groupByEmail": "analysts@example.com"},
        {"role": "READER", "groupByEmail": "Analysts@Example.COM"},
        {"role": "READER", "iamMember": "group:analysts@example.com"},
        {"groupByEmail": "analysts@example.com", "role": "READER", "condition": None},
    ],
)
def test_entries_that_bigquery_treats_alike_are_equal(other):
    assert Entry(GROUP) == Entry(other)
    assert hash(Entry(GROUP)) == hash(Entry(other))


@pytest.mark.parametrize(
    "other",
    [
        {"role": "WRITER", "groupByEmail": "analysts@example.com"},
        {"role": "READER", "userByEmail": "analysts@example.com"},
        {**GROUP, "condition": {"expression": "true"}},
        {**GROUP, "aKeyOfTomorrow": 1},
    ],
)
def test_entries_that_differ_are_not(other):
    assert Entry(GROUP) != Entry(other)


@pytest.mark.parametrize(
    ("short", "full"),
    [("READER", "dataViewer"), ("WRITER", "dataEditor"), ("OWNER", "dataOwner")],
)
def test_basic_roles_are_the_predefined_ones(short, full):
    assert Entry({"role": short, "domain": "example.com"}).role == f"roles/bigquery.{full}"
    assert Entry({"role": f"roles/bigquery.{full}", "domain": "example.com"}).resource["role"] == short


def test_a_custom_role_is_sent_as_it_is():
    entry = Entry({"role": "projects/p/roles/reader", "domain": "example.com"})
    assert entry.resource == {"role": "projects/p/roles/reader", "domain": "example.com"}


def test_members_of_iam_become_the_kinds_that_bigquery_stores():
    assert Entry({"role": "READER", "iamMember": "serviceAccount:a@p.iam.gserviceaccount.com"}).kind == "userByEmail"
    assert Entry({"role": "READER", "iamMember": "allAuthenticatedUsers"}).kind == "specialGroup"
    assert Entry({"role": "READER", "iamMember": "allUsers"}).kind == "iamMember"
    assert Entry({"role": "READER", "iamMember": "deleted:user:a@b.c?uid=1"}).kind == "iamMember"


def test_names_of_views_compare_case_sensitively():
    view = {"view": {"projectId": "p", "datasetId": "d", "tableId": "t"}}
    assert Entry(view) != Entry({"view": {"projectId": "p", "datasetId": "d", "tableId": "T"}})
    assert Entry(view).authorizes
    assert not Entry(GROUP).authorizes


def test_target_types_are_a_set():
    def dataset(*kinds: str) -> Entry:
        return Entry({"dataset": {"dataset": {"projectId": "p", "datasetId": "d"}, "targetTypes": list(kinds)}})

    assert dataset("VIEWS", "ROUTINES") == dataset("ROUTINES", "VIEWS")


def test_what_is_not_known_is_kept():
    entry = Entry({"role": "READER", "newKind": {"a": 1}})
    assert (entry.kind, entry.given) == ("unknown", {"role": "READER", "newKind": {"a": 1}})


def test_repetitions_count_once():
    assert len(entries([GROUP, {**GROUP, "role": "roles/bigquery.dataViewer"}, {**GROUP, "role": "OWNER"}])) == 2


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (GROUP, "READER group analysts@example.com"),
        (
            {"role": "roles/bigquery.metadataViewer", "domain": "Example.com"},
            "roles/bigquery.metadataViewer domain example.com",
        ),
        ({"view": {"projectId": "p", "datasetId": "d", "tableId": "t"}}, "view p.d.t"),
        ({"dataset": {"dataset": {"projectId": "p", "datasetId": "d"}, "targetTypes": ["VIEWS"]}}, "dataset p.d"),
        ({**GROUP, "condition": {"expression": "x"}}, "READER group analysts@example.com if x"),
    ],
)
def test_an_entry_reads_like_a_sentence(given, text):
    assert str(Entry(given)) == text
