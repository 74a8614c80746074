"""The benchmark's keys do not outlive its process."""

import os
import subprocess
import sys
from pathlib import Path


def test_the_keys_go_with_the_process(tmp_path: Path) -> None:
    code = "from scripts.bench.subject import anonymizer; anonymizer('declared')"
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=Path(__file__).parents[3], timeout=60)
    assert list(tmp_path.iterdir()) == []
