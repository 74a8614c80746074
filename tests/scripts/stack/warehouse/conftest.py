"""Emulators for the tests of this folder. A start costs 3.5 s of CPU: share them by module."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dataflow.project import Project
from scripts.stack import services
from scripts.stack.services import Service
from scripts.stack.supervisor import Stack, free_port
from scripts.stack.warehouse.environment import Environment

Launch = Callable[..., Stack]


@pytest.fixture(scope="session")
def launch() -> Launch:
    """launch(home, *patches): a stack of the emulator alone, without the named patches."""

    def start(home: Path, *without: str) -> Stack:
        flags = [part for name in without for part in ("--without-patch", name)]
        emulator = Service(
            "warehouse",
            free_port(),
            lambda plan: [*services.warehouse(plan), *flags],
            prepare=services.install_warehouse,
        )
        environment = Environment.of(Project.find(Path(__file__)).state)
        return Stack(home, "noren-test", (emulator,), environment=environment)

    return start
