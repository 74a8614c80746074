"""A key ring as a directory that workers open, and the pipeline's settings."""

from pathlib import Path

import pytest

from dataflow.beam.settings import Settings
from dataflow.contract import Contract
from dataflow.keys import KeyRing
from dataflow.policy import Policy


@pytest.fixture(scope="session")
def key_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a key ring in it."""
    directory = tmp_path_factory.mktemp("ring")
    KeyRing.local(directory)
    return directory


@pytest.fixture(scope="session")
def keys(key_directory: Path) -> KeyRing:
    """The same ring, for the pull loop's side of a comparison."""
    return KeyRing.local(key_directory)


@pytest.fixture
def settings(app_event: Contract, policy: Policy, key_directory: Path) -> Settings:
    return Settings(app_event, policy, key_directory, shards=3)
