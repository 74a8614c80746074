"""The catalogue of reason codes and its page say the same."""

import re
from pathlib import Path

from dataflow.core import Reason
from dataflow.core.reasons import meaning

README = Path(__file__).parents[3] / "dataflow" / "dead_letters" / "README.md"


def test_the_page_lists_every_code_with_its_sentence() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", README.read_text(), re.MULTILINE)
    assert rows == [(reason.value, reason.meaning) for reason in Reason]


def test_every_meaning_is_one_sentence() -> None:
    assert [reason for reason in Reason if not re.fullmatch(r"[A-Z][^.]*\.", reason.meaning)] == []


def test_a_code_of_another_version_has_no_meaning() -> None:
    assert (meaning("wrong_type"), meaning("never_heard_of")) == (Reason.WRONG_TYPE.meaning, None)
