"""The speed command measures what it says it measures."""

import re

import pytest

from dataflow.keys import speed


def test_it_prints_a_figure_for_each_method_and_kind_of_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(speed, "ROWS", 50)
    monkeypatch.setattr(speed, "ROUNDS", 1)
    speed.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for line in lines:
        assert re.fullmatch(
            r".+ bytes: encrypt \d+ ns, token \d+ ns, AESSIV, one a call \d+ ns, hmac.digest, one a call \d+ ns", line
        )
