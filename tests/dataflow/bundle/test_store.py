"""Bundles by number in an object store."""

from pathlib import Path

from dataflow.bundle.store import BundleStore
from dataflow.objects.places import open_objects


def test_a_store_counts_only_numbered_objects(tmp_path: Path) -> None:
    (tmp_path / "bundles").mkdir()
    for name in ("000000000002", "000000000010", "README.md", "٣"):
        (tmp_path / "bundles" / name).write_bytes(b"")
    assert BundleStore(open_objects(str(tmp_path))).numbers() == [2, 10]
