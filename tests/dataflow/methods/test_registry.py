"""Methods of third parties, each as a package that is found on the path with its metadata."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dataflow.contract import FieldType
from dataflow.errors import NorenError
from dataflow.methods import registry, simple
from dataflow.policy import read_policy
from tests.dataflow.methods.both import columnar, plain

INITIALS = '''
from typing import Annotated
import msgspec
import polars as pl
from dataflow.contract import FieldType
from dataflow.methods import Method

class Initials(Method, frozen=True):
    """The first letters."""
    name = "initials"
    accepts = frozenset({FieldType.STRING})
    leaks = "the first letters"
    letters: Annotated[int, msgspec.Meta(ge=1, le=3)] = 1

    def expression(self, column, field, context):
        return column.str.head(self.letters)

    def reference(self, value, field, context):
        return value[: self.letters]

class Nameless(Method, frozen=True):
    pass
'''

type Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a package with the given entry point on the path, as an installer lays it out."""

    def lay_out(entry: str) -> None:
        (tmp_path / "acme_methods.py").write_text(INITIALS)
        metadata = tmp_path / "acme_methods-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-methods\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[noren.methods]\n{entry}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        registry.cache_clear()

    yield lay_out
    monkeypatch.undo()
    sys.modules.pop("acme_methods", None)
    registry.cache_clear()


def test_a_third_partys_method_is_used_by_a_policy(install: Install) -> None:
    install("initials = acme_methods:Initials")
    policy, findings = read_policy(
        "version: '1'\nclassifications:\n  internal: {method: initials, letters: 2}\n", "policy.yaml"
    )
    assert findings == []
    method = next(iter(policy.classifications.values()))
    assert columnar(method, FieldType.STRING, ["Ana", None]) == ["An", None]
    assert plain(method, FieldType.STRING, ["Ana", None]) == ["An", None]


def test_its_parameters_are_checked_like_any_others(install: Install) -> None:
    install("initials = acme_methods:Initials")
    _, findings = read_policy("version: '1'\nclassifications:\n  internal: {method: initials, letters: 9}\n", "p.yaml")
    assert [str(finding) for finding in findings] == [
        "p.yaml:3: classifications.internal.letters: expected `int` <= 3, not 9.".replace("`", "")
    ]


def test_it_cannot_take_the_place_of_a_built_in_one(install: Install) -> None:
    install("keep = acme_methods:Initials")
    with pytest.raises(NorenError, match="must have name = 'keep'"):
        registry()


def test_a_built_in_name_stays_built_in(install: Install) -> None:
    install("initials = acme_methods:Initials")
    assert registry()["keep"] is simple.Keep


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (
            "initials = acme_methods:Absent",
            "The method initials of acme-methods (acme_methods:Absent) cannot be loaded: "
            "module 'acme_methods' has no attribute 'Absent'; mend or remove the package.",
        ),
        (
            "initials = acme_gone:Initials",
            "The method initials of acme-methods (acme_gone:Initials) cannot be loaded: "
            "No module named 'acme_gone'; mend or remove the package.",
        ),
        (
            "initials = acme_methods:msgspec",
            "The method initials of acme-methods (acme_methods:msgspec) is no class that inherits from "
            "dataflow.methods.Method; mend or remove the package.",
        ),
        (
            "nameless = acme_methods:Nameless",
            "The method nameless of acme-methods (acme_methods:Nameless) must have name = 'nameless' "
            "and say in accepts what it takes.",
        ),
    ],
)
def test_what_is_no_method_is_refused_in_a_sentence(install: Install, entry: str, sentence: str) -> None:
    install(entry)
    with pytest.raises(NorenError) as refusal:
        registry()
    assert str(refusal.value) == sentence
