"""YAML files: read, or refused in one sentence."""

from pathlib import Path

import pytest

from dataflow.errors import NorenError
from dataflow.yaml_file import parse_yaml, read_yaml


def test_a_document_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: [1, x]", "utf-8")
    assert read_yaml(file, "a.yaml") == {"a": [1, "x"]}


def test_an_empty_file_is_none() -> None:
    assert parse_yaml("", "a.yaml") is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\n b: 2", r"a\.yaml: is no valid YAML: mapping values are not allowed in this context, in line 2\."),
        ("until: 2024-13-45", r"a\.yaml: is no valid YAML: month must be in 1\.\.12.*\."),
        ("a: \x00", r"a\.yaml: is no valid YAML: .*\."),
    ],
)
def test_what_is_no_yaml_is_said_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(NorenError, match=f"^{sentence}$"):
        parse_yaml(text, "a.yaml")


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(NorenError, match=r"^iam/a\.yaml: cannot be read: No such file or directory\.$"):
        read_yaml(tmp_path / "a.yaml", "iam/a.yaml")
    (tmp_path / "a.yaml").write_bytes(b"\xff")
    with pytest.raises(NorenError, match=r"^a\.yaml: cannot be read: it is no UTF-8 text\.$"):
        read_yaml(tmp_path / "a.yaml", "a.yaml")
