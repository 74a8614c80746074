"""What the policy's reader says about bad parameters, and what a contract must have for a rule."""

from pathlib import Path

import pytest

from dataflow.contract import Contract, load_contract
from dataflow.errors import NorenError
from dataflow.methods.hierarchy import LoadedHierarchy
from dataflow.methods.text import LoadedScrub
from dataflow.policy import check_stream, load_policy, read_policy

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: urn:test:ride
name: ride
version: 1.0.0
status: active
domain: rides
schema:
  - name: ride
    logicalType: object
    customProperties:
      - {property: eventTime, value: at}
SUBJECT
    properties:
      - {name: id, logicalType: string, required: true, classification: identifier, primaryKey: true,
         primaryKeyPosition: 1}
      - {name: at, logicalType: timestamp, required: true, classification: public}
      - {name: rider, logicalType: integer, classification: identifier}
      - {name: age, logicalType: integer, classification: quasi_identifier}
      - {name: born, logicalType: date, classification: quasi_identifier}
      - {name: meters, logicalType: number, classification: sensitive}
      - {name: line, logicalType: string, classification: quasi_identifier}
      - {name: north, logicalType: number, classification: location}
      - {name: east, logicalType: number, classification: location}
      - {name: stops, logicalType: array, classification: sensitive, items: {logicalType: number}}
"""
SUBJECT = "      - {property: subject, value: rider}"


def contract(tmp_path: Path, subject: str = SUBJECT) -> Contract:
    path = tmp_path / "ride.yaml"
    path.write_text(CONTRACT.replace("SUBJECT", subject))
    return load_contract(path)


def complaint(tmp_path: Path, field: str, rule: str, subject: str = SUBJECT) -> str:
    """Everything that is said about one rule, joined."""
    text = f"version: '1'\nstreams:\n  ride:\n    fields:\n      {field}: {{{rule}}}\n"
    policy, findings = read_policy(text, "p.yaml", tmp_path)
    if findings:
        return "\n".join(str(finding).partition(f"fields.{field}")[2] for finding in findings)
    try:
        check_stream(policy, contract(tmp_path, subject))
    except NorenError as error:
        return str(error).partition(f"ride.{field}: ")[2]
    return ""


@pytest.mark.parametrize(
    ("field", "rule", "said"),
    [
        ("age", "method: age_band, width: 10", ""),
        ("age", "method: age_band, top: 95", ".top: expected int <= 90, not 95."),
        ("age", "method: range", ": object missing required field width."),
        ("age", "method: range, width: 0", ".width: expected int >= 1, not 0."),
        ("age", "method: range, width: 5, minimum: 9, maximum: 3", ": minimum must not be above maximum."),
        (
            "age",
            "method: range, width: 2.5",
            "range: width 2.5 is no whole number, but the field is an integer; use a whole one.",
        ),
        ("age", "method: clamp", ": needs minimum, maximum or both."),
        ("age", "method: clamp, maximum: ten", ".maximum: expected int | float | null, got str, not 'ten'."),
        ("age", "method: constant, value: x", "constant: value 'x' is no integer; give one of the field's type."),
        ("age", "method: constant, value: true", "constant: value True is no integer; give one of the field's type."),
        ("born", "method: truncate_time, unit: hour", "truncate_time: a date has no hour; use unit: day or longer."),
        ("born", "method: truncate_time, unit: year", ""),
        ("line", "method: mask, suffix: 5", ".suffix: expected int <= 4, not 5."),
        ("line", "method: mask, character: xx", ".character: expected str of length <= 1, not 'xx'."),
        ("meters", "method: noise, epsilon: 1, minimum: 0, maximum: 100", ""),
        ("meters", "method: noise, epsilon: 0, minimum: 0, maximum: 9", ".epsilon: expected float > 0.0, not 0."),
        ("meters", "method: noise, epsilon: 1, minimum: 9, maximum: 9", ": minimum must be below maximum."),
        (
            "meters",
            "method: noise, epsilon: 1, minimum: 0, maximum: 10, step: 3",
            ": step must divide maximum - minimum into 1 to 1000 steps, not 3.33333.",
        ),
        (
            "meters",
            "method: noise, epsilon: 0.01, minimum: 0, maximum: 100",
            ": epsilon must be at least 0.02 for 100 steps.",
        ),
        (
            "age",
            "method: noise, epsilon: 1, minimum: 0, maximum: 100, step: 0.5",
            "noise: minimum and step must be whole numbers, since the field is an integer.",
        ),
        ("north", "method: geohash, longitude: east, length: 6", ""),
        ("north", "method: geohash, length: 6", ": object missing required field longitude."),
        ("north", "method: geohash, longitude: eats", "geohash: the contract has no field eats; did you mean east?"),
        ("north", "method: geohash, longitude: line", "geohash: line is string, it takes number."),
        (
            "stops",
            "method: noise, epsilon: 1, minimum: 0, maximum: 100",
            "noise reads other fields of the event and cannot stand inside an array; use drop.",
        ),
        ("line", "method: hierarchy, file: absent.csv", ": absent.csv: cannot be read: No such file or directory."),
        (
            "line",
            "method: hierarchy, file: ../x.csv",
            ": ../x.csv lies outside the policy's directory; put it beside the policy.",
        ),
        ("line", "method: hierarchy, file: lines.csv, level: 3", ": level 3: lines.csv has 2 levels above the values."),
        (
            "line",
            "method: hierarchy, file: lines.csv, unknown: keep",
            ".unknown: keep is no unknown; known are null, top.",
        ),
        ("line", "method: hierarchy, file: twice.csv", ": twice.csv: line 2: the value stands there a second time."),
        (
            "line",
            "method: hierarchy, file: uneven.yaml",
            ": uneven.yaml: entry b: every value must have the same number of parents.",
        ),
        (
            "line",
            "method: hierarchy, file: list.yaml",
            ": list.yaml: must be a mapping of each value to the list of its parents.",
        ),
        ("line", "method: hierarchy, file: empty.csv", ": empty.csv: holds no value."),
        (
            "line",
            "method: hierarchy, file: hole.csv",
            ": hole.csv: line 1: must be a value and its parents, all texts and none empty.",
        ),
        ("line", "method: hierarchy, file: latin.csv", ": latin.csv: is not UTF-8."),
    ],
)
def test_a_bad_parameter_is_named(tmp_path: Path, field: str, rule: str, said: str) -> None:
    files = {
        "lines.csv": "Ginza,Metro,Rail\n",
        "twice.csv": "a,b\na,c\n",
        "uneven.yaml": "a: [b]\nb: [c, d]\n",
        "list.yaml": "- a\n",
        "empty.csv": "\n",
        "hole.csv": "a,\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "latin.csv").write_bytes(b"\xe9,b\n")
    assert complaint(tmp_path, field, rule) == said


def test_noise_needs_a_contract_that_names_the_person(tmp_path: Path) -> None:
    rule = "method: noise, epsilon: 1, minimum: 0, maximum: 100"
    assert complaint(tmp_path, "meters", rule, subject="") == (
        "noise needs to know the person; name the field in the contract's custom property subject, such as user_id."
    )


@pytest.mark.parametrize("value", ["meters", "nobody", "age", "stops"])
def test_the_subject_is_an_identifier_of_the_contract(tmp_path: Path, value: str) -> None:
    with pytest.raises(NorenError) as refusal:
        contract(tmp_path, SUBJECT.replace("rider", value))
    assert str(refusal.value) == (
        "ride.yaml: customProperties.subject: must name a string or integer field that is classified as identifier, "
        "outside of arrays."
    )


def test_files_are_read_beside_the_policy(tmp_path: Path) -> None:
    (tmp_path / "hierarchies").mkdir()
    (tmp_path / "hierarchies" / "lines.yaml").write_text("Ginza: [Metro]\n")
    (tmp_path / "hierarchies" / "names.txt").write_text("# family names\nSato\n\n")
    (tmp_path / "policy.yaml").write_text(
        "version: '1'\nclassifications:\n"
        "  quasi_identifier: {method: hierarchy, file: hierarchies/lines.yaml}\n"
        "  free_text: {method: scrub, names: hierarchies/names.txt}\n"
    )
    hierarchy, scrub = load_policy(tmp_path / "policy.yaml").classifications.values()
    assert isinstance(hierarchy, LoadedHierarchy)
    assert hierarchy.table.parents == {"Ginza": ("Metro",)}
    assert isinstance(scrub, LoadedScrub)
    assert scrub.listed.names == ("Sato",)


def test_a_policy_without_a_directory_cannot_read_files() -> None:
    _, findings = read_policy("version: '1'\nclassifications:\n  free_text: {method: scrub, names: n.txt}\n", "p.yaml")
    assert [str(finding) for finding in findings] == [
        "p.yaml:3: classifications.free_text: reads n.txt, which is not at hand here."
    ]


def test_a_policy_cannot_spell_out_what_a_file_would_hold() -> None:
    _, findings = read_policy("version: '1'\nclassifications:\n  free_text: {method: scrub, listed: [a]}\n", "p.yaml")
    assert [str(finding) for finding in findings] == [
        "p.yaml:3: classifications.free_text.listed: scrub has no such parameter; known are names."
    ]


@pytest.mark.parametrize(
    ("text", "said"), [(b"# none\n", "names.txt: holds no name."), (b"\xff\n", "names.txt: is not UTF-8.")]
)
def test_a_bad_list_of_names_is_refused(tmp_path: Path, text: bytes, said: str) -> None:
    (tmp_path / "names.txt").write_bytes(text)
    _, findings = read_policy(
        "version: '1'\nclassifications:\n  free_text: {method: scrub, names: names.txt}\n", "p.yaml", tmp_path
    )
    assert [str(finding) for finding in findings] == [f"p.yaml:3: classifications.free_text: {said}"]
