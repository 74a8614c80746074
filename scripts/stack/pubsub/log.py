"""The append-only log file: what the server answered to, a killed process finds again.

A frame is written by one `write` before the request is answered, so it is in the kernel's page cache by then: SIGKILL,
an exception or a restart lose nothing. There is no fsync for each request: a machine that loses power can lose the last
seconds. The server's message ids stay unique even then, see `broker.Broker`.

    DIR/lock               held by flock as long as a server lives
    DIR/store_id           a UUID, made once
    DIR/00000001.log       the log; compaction writes the next number and removes the one before

File: 8 bytes `norenps1`, then frames: length (4 bytes, little endian), CRC-32 (4 bytes), a msgpack list of records.
"""

import fcntl
import logging
import os
import struct
import threading
import uuid
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from dataflow.errors import NorenError

from .records import Record, decode, encode

MAGIC = b"norenps1"
_HEAD = struct.Struct("<II")

log = logging.getLogger(__name__)


class Log:
    """The log of one data directory. Use: `for frame in log.open(): ...`, then `append`.

    compact_at: size in bytes from which on `full` asks for compaction. After each one it is at least doubled over what
    was left, so that compaction costs a constant share of writing.

    Raises NorenError when another live server has the directory, or its files are damaged in the middle.
    """

    def __init__(self, directory: Path, compact_at: int = 64 * 1024 * 1024) -> None:
        self.directory = directory
        self._minimum = self._compact_at = compact_at
        self._file = -1
        self._number = 0
        self.size = 0
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise NorenError(
                f"{directory} is in use by another Pub/Sub server: stop it or name another --data-dir."
            ) from None
        self.store_id = self._store_id()

    def _store_id(self) -> str:
        path = self.directory / "store_id"
        if not path.exists():
            draft = path.with_suffix(".tmp")
            draft.write_text(f"{uuid.uuid4()}\n")
            draft.replace(path)
        return str(uuid.UUID(path.read_text().strip()))

    def _path(self, number: int) -> Path:
        return self.directory / f"{number:08d}.log"

    def open(self) -> Iterator[list[Record]]:
        """Every whole frame, oldest first. When it is exhausted the log is ready for `append`.

        A frame that the last process did not finish is cut off; it was never answered.
        """
        for draft in self.directory.glob("*.log.tmp"):
            draft.unlink()
        numbers = sorted(int(path.stem) for path in self.directory.glob("*.log"))
        for number in numbers[:-1]:  # a compaction that was killed before it removed the old file
            self._path(number).unlink()
        self._number = numbers[-1] if numbers else 1
        path = self._path(self._number)
        if not path.exists():
            path.touch(mode=0o600)
            path.write_bytes(MAGIC)
        good = len(MAGIC)
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise NorenError(f"{path} is no log of this Pub/Sub server: name another --data-dir.")
            total = path.stat().st_size
            while good < total:
                head = file.read(_HEAD.size)
                if len(head) < _HEAD.size:
                    break
                length, crc = _HEAD.unpack(head)
                body = file.read(length)
                if len(body) < length or zlib.crc32(body) != crc:
                    if file.tell() < total:
                        raise NorenError(f"{path} is damaged at byte {good}: restore it, or name another --data-dir.")
                    break
                yield decode(body)
                good = file.tell()
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        if good < total:
            log.warning("cut %d bytes of an unfinished frame off %s", total - good, path.name)
            os.ftruncate(self._file, good)
        self.size = good
        self._compact_at = max(self._minimum, self.size)

    def append(self, *records: Record) -> None:
        """Write the records as one frame. Returns once the kernel has them; raises OSError and leaves no half frame."""
        body = encode(records)
        _write(self._file, self.size, _HEAD.pack(len(body), zlib.crc32(body)) + body)
        self.size += _HEAD.size + len(body)

    @property
    def full(self) -> bool:
        return self.size >= self._compact_at

    def compact(self, frames: Iterable[list[Record]]) -> None:
        """Replace the log by `frames`, which describe the whole state. The new file counts from its rename on."""
        number = self._number + 1
        path = self._path(number)
        draft = path.with_name(path.name + ".tmp")
        old, before = self._file, self.size
        new = os.open(draft, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            size = _write(new, 0, MAGIC)
            for frame in frames:
                body = encode(frame)
                size += _write(new, size, _HEAD.pack(len(body), zlib.crc32(body)) + body)
            os.fsync(new)
            draft.rename(path)
        except BaseException:
            os.close(new)
            draft.unlink(missing_ok=True)
            raise
        self._file, self._number, self.size = new, number, size
        self._compact_at = max(self._minimum, 2 * size)
        self._path(number - 1).unlink()
        # the last hold on the file: to give back a gigabyte takes 60 to 90 ms, in which nothing would be delivered
        threading.Thread(target=os.close, args=(old,), name="drop-old-log").start()
        log.info("compacted the log from %d to %d bytes", before, size)

    def put_off(self) -> None:
        """Ask for compaction only after as much again was written; the last try failed."""
        self._compact_at = self.size + self._minimum

    def close(self) -> None:
        """Close the files and let the directory go."""
        if self._file >= 0:
            os.fsync(self._file)
            os.close(self._file)
            self._file = -1
        os.close(self._lock)


def _write(file: int, size: int, data: bytes) -> int:
    """Append all of `data` to a file of `size` bytes, or nothing. Returns the bytes written."""
    try:
        done = os.write(file, data)
        while done < len(data):
            done += os.write(file, memoryview(data)[done:])
    except OSError:
        os.ftruncate(file, size)
        raise
    return done
