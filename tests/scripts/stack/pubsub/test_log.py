"""The log file: whole frames, cut tails, compaction, one owner."""

import pytest

from dataflow.errors import NorenError
from scripts.stack.pubsub.log import Log
from scripts.stack.pubsub.records import Counters, TopicDeleted


def written(directory, *counts):
    log = Log(directory)
    assert list(log.open()) == []
    for count in counts:
        log.append(Counters(count, 0), TopicDeleted(count))
    log.close()


def frames(directory):
    log = Log(directory)
    try:
        return [
            [record.number if isinstance(record, Counters) else -record.topic for record in each] for each in log.open()
        ]
    finally:
        log.close()


def test_frames_come_back_in_order(tmp_path):
    written(tmp_path, 1, 2, 3)
    assert frames(tmp_path) == [[1, -1], [2, -2], [3, -3]]


@pytest.mark.parametrize("cut", [1, 5, 10])
def test_an_unfinished_frame_is_cut_off_and_writing_goes_on(tmp_path, cut):
    written(tmp_path, 1, 2)
    path = tmp_path / "00000001.log"
    path.write_bytes(path.read_bytes()[:-cut])
    log = Log(tmp_path)
    assert len(list(log.open())) == 1
    log.append(Counters(9, 0))
    log.close()
    assert frames(tmp_path) == [[1, -1], [9]]


def test_damage_in_the_middle_is_an_error_that_names_the_place(tmp_path):
    written(tmp_path, 1, 2)
    path = tmp_path / "00000001.log"
    data = bytearray(path.read_bytes())
    data[20] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(NorenError, match=r"00000001.log is damaged at byte 8: restore it, or name another --data-dir"):
        frames(tmp_path)


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "00000001.log").write_text("hello, world")
    with pytest.raises(NorenError, match="is no log of this Pub/Sub server"):
        frames(tmp_path)


def test_compaction_replaces_the_file(tmp_path):
    log = Log(tmp_path, compact_at=100)
    list(log.open())
    for count in range(20):
        log.append(Counters(count, 0))
    assert log.full
    log.compact([[Counters(77, 0)], [TopicDeleted(5)]])
    assert not log.full
    log.append(Counters(78, 0))
    log.close()
    assert [path.name for path in tmp_path.glob("*.log*")] == ["00000002.log"]
    assert frames(tmp_path) == [[77], [-5], [78]]


def test_a_compaction_that_was_killed_half_way_counts_for_nothing(tmp_path):
    written(tmp_path, 1)
    (tmp_path / "00000002.log.tmp").write_bytes(b"half")
    assert frames(tmp_path) == [[1, -1]]


def test_a_compaction_that_was_killed_before_it_cleaned_up_counts(tmp_path):
    written(tmp_path, 1)
    written(tmp_path / "other", 2)
    (tmp_path / "other" / "00000001.log").rename(tmp_path / "00000002.log")
    assert frames(tmp_path) == [[2, -2]]
    assert not (tmp_path / "00000001.log").exists()


def test_a_failed_compaction_leaves_the_log_as_it_was(tmp_path):
    def broken():
        yield [Counters(5, 0)]
        raise RuntimeError

    written(tmp_path, 1)
    log = Log(tmp_path)
    list(log.open())
    with pytest.raises(RuntimeError):
        log.compact(broken())
    log.append(Counters(2, 0))
    log.close()
    assert frames(tmp_path) == [[1, -1], [2]]


def test_two_servers_cannot_have_one_directory(tmp_path):
    first = Log(tmp_path)
    with pytest.raises(NorenError, match="is in use by another Pub/Sub server"):
        Log(tmp_path)
    first.close()
    Log(tmp_path).close()


def test_the_store_id_stays(tmp_path):
    first = Log(tmp_path)
    first.close()
    second = Log(tmp_path)
    second.close()
    assert second.store_id == first.store_id


def test_the_files_are_for_their_owner_alone(tmp_path):
    written(tmp_path / "data", 1)
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "00000001.log").stat().st_mode & 0o777 == 0o600
