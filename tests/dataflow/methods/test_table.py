import pytest

from dataflow.contract import FieldType
from dataflow.methods import BUILT_IN, Method
from dataflow.methods.table import README, refreshed, table


def test_the_readme_holds_the_table_of_the_classes() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == refreshed(text), "run python -m dataflow.methods.table"


def test_a_row_tells_everything_of_a_method() -> None:
    assert (
        "| `truncate_ip` | string | the same | `v4` 0 to 24 (24); `v6` 0 to 64 (48) | no "
        "| the network: a small company's /24 is the company | pseudonymized |"
    ) in table().splitlines()


@pytest.mark.parametrize("method", BUILT_IN, ids=lambda method: method.name)
def test_a_methods_docstring_names_its_parameters_lane_and_whether_it_is_reversible(method: type[Method]) -> None:
    text = method.__doc__ or ""
    assert [name for name in method.__struct_fields__ if f"{name}:" not in text and f"{name}," not in text] == []
    assert "eaks" in text
    assert "eversible" in text
    assert "Lane:" in text


@pytest.mark.parametrize("method", BUILT_IN, ids=lambda method: method.name)
def test_a_method_says_what_it_takes_and_leaks(method: type[Method]) -> None:
    assert method.accepts <= frozenset(FieldType)
    assert method.accepts
    assert method.leaks
    assert method.lane in ("pseudonymized", "anonymous")
