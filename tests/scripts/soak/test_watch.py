"""Signs of life: from the journal's names alone."""

from pathlib import Path

from dataflow.journal.folds import Fold
from dataflow.objects import LocalObjects
from scripts.soak.watch import Watch, seconds_with


def test_a_second_counts_once_and_only_a_whole_one() -> None:
    signs = [9.0, 10.2, 10.9, 12.1, 13.4, 13.6]
    assert seconds_with(signs, 10.0, 13.5) == (2, 3)
    assert seconds_with([], 10.0, 10.4) == (0, 0)


def test_a_commit_is_seen_and_an_entry_is_a_sign_but_no_commit(tmp_path: Path) -> None:
    journal = LocalObjects(tmp_path)
    watch = Watch(journal, "shard")
    watch.start()
    journal.create("shard/entries/000000000000", b"")
    while not watch.signs:
        pass
    assert watch.commits == []
    journal.create(f"shard/indexes/{Fold(0, 0, 0, 0, 1, 0).name}", b"")
    commit = watch.commit_after(0.0, 30.0)
    assert commit == watch.commits[0] == watch.signs[-1]
    assert watch.commit_after(commit, 0.0) is None
    watch.stop()
