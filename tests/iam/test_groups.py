import pytest

from dataflow.errors import NorenError
from iam.groups import Group, Groups


def group(name: str, *, parents: tuple[str, ...] = (), members: tuple[str, ...] = ()) -> Group:
    emails = [frozenset(f"{n}@x.com" for n in names) for names in (parents, members)]
    return Group(f"{name}@x.com", "analysis", "test", "ada@x.com", *emails)


NESTED = Groups(
    [group("all"), group("data", parents=("all",), members=("ana",)), group("ml", parents=("data",), members=("bo",))]
)


def test_a_person_is_in_a_group_through_others():
    assert NESTED.of("bo@x.com") == {"ml@x.com", "data@x.com", "all@x.com"}
    assert NESTED.of("ana@x.com") == {"data@x.com", "all@x.com"}


def test_names_compare_case_insensitively():
    assert NESTED.of("Bo@X.com") == NESTED.of("bo@x.com")
    assert "DATA@x.com" in NESTED
    assert NESTED.get("ML@X.COM").email == "ml@x.com"


def test_people_of_a_group_are_no_groups():
    assert NESTED.people("all@x.com") == {"ana@x.com", "bo@x.com"}
    assert NESTED.people("ml@x.com") == {"bo@x.com"}


def test_a_group_as_a_member_is_a_group_within():
    groups = Groups([group("outer", members=("inner",)), group("inner", members=("ana",))])
    assert groups.of("ana@x.com") == {"inner@x.com", "outer@x.com"}
    assert groups.people("outer@x.com") == {"ana@x.com"}


def test_who_is_in_no_group_is_in_none():
    assert NESTED.of("oz@x.com") == frozenset()


def test_groups_that_contain_each_other_are_refused():
    with pytest.raises(NorenError, match=r"groups contain each other: a@x\.com is in b@x\.com is in a@x\.com"):
        Groups([group("a", parents=("b",)), group("b", parents=("a",))])


def test_a_parent_that_is_not_listed_is_refused():
    with pytest.raises(NorenError, match=r"parent b@x\.com of group a@x\.com is not listed"):
        Groups([group("a", parents=("b",))])


def test_two_groups_of_one_name_are_refused():
    with pytest.raises(NorenError, match="listed twice"):
        Groups([group("a"), group("a")])
