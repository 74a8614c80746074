"""Compiled loops are kept on disk as long as nothing of what they were compiled from changes."""

import os
import subprocess
import sys
from pathlib import Path

from tests.dataflow.conftest import ROOT


def answer(directory: Path) -> str:
    """What a loop gives in a process of its own."""
    environment = os.environ | {"PYTHONPATH": f"{directory}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", "from sums import loops; print(loops.sum(0), len(loops.sum.stats.cache_hits))"]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def test_a_loop_is_compiled_anew_when_a_module_that_it_imports_changes(tmp_path: Path) -> None:
    package = tmp_path / "sums"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "first.py").write_text("FIRST = 1\n")
    (package / "second.py").write_text("from sums.first import FIRST\n\nSECOND = FIRST\n")
    loop = "@compiled\ndef sum(number):\n    return number + SECOND\n"
    (package / "loops.py").write_text(
        f"from sums.second import SECOND\nfrom dataflow.compiled.loop import compiled\n\n\n{loop}"
    )
    assert [answer(tmp_path), answer(tmp_path)] == ["1 0", "1 1"]
    (package / "first.py").write_text("FIRST = 22\n")
    assert answer(tmp_path) == "22 0"
