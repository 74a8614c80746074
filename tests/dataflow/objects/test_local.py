"""Objects that are created once: the first writer wins, whole or not at all."""

import errno
import os
import threading
from pathlib import Path

import pytest

from dataflow.errors import NorenError
from dataflow.objects import LocalObjects, create_file
from dataflow.objects import local as objects


@pytest.fixture
def store(tmp_path: Path) -> LocalObjects:
    return LocalObjects(tmp_path)


def test_the_first_writer_wins_and_the_second_learns_it(store: LocalObjects) -> None:
    assert store.create("shard/entries/1", b"first") is True
    assert store.create("shard/entries/1", b"second") is False
    assert store.read("shard/entries/1") == b"first"


def test_what_cannot_be_written_or_deleted_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "shard").write_text("a file where a directory belongs")
    store = LocalObjects(tmp_path)
    with pytest.raises(NorenError, match=r"/shard/1: cannot be written: (File exists|Not a directory)\.$"):
        store.create("shard/1", b"x")
    with pytest.raises(NorenError, match=r"/shard/1: cannot be deleted: Not a directory\.$"):
        store.delete("shard/1")


def test_a_full_disk_says_what_to_do(store: LocalObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NorenError, match=r": No space left on device\. Make room there and start again\.$"):
        store.create("shard/1", b"x")
    monkeypatch.undo()
    assert (list(store.names("shard")), store.create("shard/1", b"x")) == ([], True)


def test_of_many_writers_at_once_one_wins(store: LocalObjects) -> None:
    barrier = threading.Barrier(8)
    won: list[int] = []

    def write(number: int) -> None:
        barrier.wait()
        if store.create("shard/entries/1", b"%d" % number * 10_000):
            won.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.read("shard/entries/1") == b"%d" % won[0] * 10_000


def test_names_are_those_below_a_prefix_in_order(store: LocalObjects) -> None:
    for name in ("s/entries/2", "s/entries/10", "s/entries/1", "s/groups/1", "other/entries/3"):
        store.create(name, b"")
    assert list(store.names("s/entries")) == ["s/entries/1", "s/entries/10", "s/entries/2"]
    assert list(store.names("s/none")) == []


def test_what_is_gone_is_deleted_without_an_error(store: LocalObjects) -> None:
    store.create("s/1", b"")
    store.delete("s/1")
    store.delete("s/1")
    assert list(store.names("s")) == []
    assert store.create("s/1", b"again") is True


def test_an_object_that_is_not_there_is_one_sentence(store: LocalObjects) -> None:
    with pytest.raises(NorenError, match=r"^s/1: cannot be read: No such file or directory\.$"):
        store.read("s/1")


def test_a_crash_before_the_name_exists_leaves_no_half_object(
    store: LocalObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        pass

    def crash(*_: object) -> None:
        raise Crash

    # as SIGKILL does it: nothing is tidied up
    with monkeypatch.context() as patch:
        patch.setattr(objects.os, "link", crash)
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(Crash):
            store.create("s/1", b"half")
    assert len(list((tmp_path / "s").iterdir())) == 1
    assert list(store.names("s")) == []
    assert store.create("s/1", b"whole") is True
    assert store.read("s/1") == b"whole"
    assert (store.sweep("other"), store.sweep("s"), store.sweep("s")) == (0, 1, 0)
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["1"]


def test_files_and_their_directory_are_for_their_owner_only(tmp_path: Path) -> None:
    create_file(tmp_path / "new" / "file", b"data")
    assert (tmp_path / "new" / "file").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_data_and_directory_are_on_the_disk_before_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    monkeypatch.setattr(objects.os, "fsync", fsync)
    create_file(tmp_path / "new" / "file", b"data")
    assert [name.startswith(".file.") for name in synced] == [True, False]
    assert synced[1] == "new"
