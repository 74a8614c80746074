"""Appending to a ledger and reading it, on create-if-absent objects.

Layout below the ledger's name: `identity` (a random id, once), `lines/N`, `digests/N`. A line exists when `lines/N`
does. `digests/N` is made right after it, and before line N+1: a line that is altered or removed no longer fits it, also
when it is the last one.
"""

import datetime
import re
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from dataflow.errors import NorenError
from dataflow.ledger.chain import Line, decode, digest, encode, origin
from dataflow.ledger.verify import Damage, damages
from dataflow.objects import Objects

NAME = re.compile(r"[a-z][a-z0-9_]*")

READERS = 16
"""Lines that are read at once: in a bucket each takes tens of milliseconds."""

KIND = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")


class Ledger:
    """The ledger `name` in an object store. Any number of processes may append at once: each line has one number.

    Raises ValueError for a name that is no plain word, such as `access`.
    """

    def __init__(self, objects: Objects, name: str) -> None:
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a ledger: lower case, digits and underscores")
        self.objects = objects
        self.name = name
        try:  # first, for who may read alone
            identity = objects.read(f"{name}/identity")
        except NorenError:
            objects.create(f"{name}/identity", uuid.uuid4().hex[:12].encode())
            identity = objects.read(f"{name}/identity")
        self.identity = identity.decode()
        self._next: int | None = None

    def append(self, kind: str, who: str, details: Mapping[str, Any]) -> Line:
        """Write one line, durably; the line. When it returns, the thing is on record: append first, then do it.

        kind: words with dots, e.g. `access.applied`. details: JSON values, none of them a raw personal value.
        Raises ValueError for another kind or nobody, TypeError for what JSON does not have.
        """
        if not KIND.fullmatch(kind):
            raise ValueError(f"{kind!r} is no kind of a ledger's line: lower case words with dots")
        if not who:
            raise ValueError("a ledger's line says who")
        values = msgspec.json.decode(msgspec.json.encode(dict(details)))  # what a reader will see
        identity = uuid.uuid4().hex
        number = self._end() if self._next is None else self._next
        while True:
            now = datetime.datetime.now(datetime.UTC)
            line = Line(number, now, identity, kind, who, values, self._before(number))
            data = encode(line)
            created = self.objects.create(self.path("lines", number), data)
            if not created:  # somebody was first, and may have died before its digest was made
                data = self.objects.read(self.path("lines", number))
            self.objects.create(self.path("digests", number), digest(data).encode())
            number += 1
            self._next = number
            if created:
                return line

    def entries(self, first: int = 0) -> Iterator[Line]:
        """The lines from number `first` on, in order.

        Raises NorenError at a line that cannot be read; `verify` tells more.
        """
        numbers = [number for number in self.numbers("lines") if number >= first]
        with ThreadPoolExecutor(READERS) as pool:
            lines = pool.map(self.objects.read, (self.path("lines", number) for number in numbers))
            for number, data in zip(numbers, lines, strict=True):
                try:
                    yield decode(data)
                except ValueError as error:
                    raise NorenError(f"ledger {self.name}: line {number} was altered and cannot be read.") from error

    def verify(self, mirrored: Mapping[int, str] | None = None) -> list[Damage]:
        """Everything that is wrong: lines that were altered, removed or moved. Empty when the ledger is whole.

        mirrored: number -> digest of lines that another place holds (`mirrored(...)` asks the table): who can write the
        object store could make a whole chain anew, and only such a copy tells.
        """
        return damages(
            origin(self.name, self.identity),
            {number: self.objects.read(self.path("lines", number)) for number in self.numbers("lines")},
            {number: self.objects.read(self.path("digests", number)).decode() for number in self.numbers("digests")},
            mirrored or {},
        )

    def numbers(self, part: str) -> list[int]:
        """Numbers of the objects of one part (`lines`, `digests`), in order."""
        return sorted(int(name.rpartition("/")[2]) for name in self.objects.names(f"{self.name}/{part}"))

    def path(self, part: str, number: int) -> str:
        return f"{self.name}/{part}/{number:012d}"

    def _end(self) -> int:
        """The first number that was never used; a line that was removed left its digest."""
        return max([*self.numbers("lines"), *self.numbers("digests")], default=-1) + 1

    def _before(self, number: int) -> str:
        if number == 0:
            return origin(self.name, self.identity)
        try:
            return self.objects.read(self.path("digests", number - 1)).decode()
        except NorenError:  # its writer died right after the line, or is just making it
            made = digest(self.objects.read(self.path("lines", number - 1)))
            self.objects.create(self.path("digests", number - 1), made.encode())
            return made
