"""The same call on an emulator with all patches and on a bare one: both are shared by the files of this folder."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.scripts.stack.warehouse.patches.emulators import PATCHES, Emulator, start_twice


@pytest.fixture(scope="session")
def patched(launch: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    yield from start_twice(launch, tmp_path_factory.mktemp("patched"))


@pytest.fixture(scope="session")
def bare(launch: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    yield from start_twice(launch, tmp_path_factory.mktemp("bare"), *PATCHES)
