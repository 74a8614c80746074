"""The process that dbt runs in: its order, its answers, its end."""

import pytest

from dataflow.errors import NorenError
from scripts.build.process import Process, prepared


def test_a_process_that_dies_is_an_error_and_no_result() -> None:
    with prepared() as process:
        process.popen.kill()
        with pytest.raises(NorenError, match=r"^dbt ended without a result \(exit code -9\): "):
            process.run(["run"], {})


def test_dbt_says_when_it_is_loaded_and_has_time_to_end_when_its_caller_gives_up() -> None:
    process = Process()
    answers = process._exchange({"environment": {}, "arguments": ["--version"]})
    assert set(next(answers)) == {"loaded"}
    process.close()
    assert process.popen.returncode == 0


def test_a_process_without_an_order_ends_with_its_block() -> None:
    with prepared() as process:
        assert process.popen.poll() is None
    assert process.popen.poll() is not None


def test_an_unknown_option_is_dbts_own_error() -> None:
    with prepared() as process:
        result = process.run(["run", "--no-such-option"], {})
    assert (result.exit_code, result.nodes) == (2, ())
    assert "No such option" in (result.error or "")
