"""Where bundles are published and found: numbered objects, created once and never changed."""

from collections.abc import Iterator

from dataflow.bundle.bundle import Bundle, unseal
from dataflow.errors import NorenError
from dataflow.keys.signing import Verifier
from dataflow.objects import Objects

PREFIX = "bundles"


class BundleStore:
    """The bundles of one environment in an object store."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def numbers(self) -> list[int]:
        """Numbers of all objects, signed or not, in order. What has no number for a name is none of ours."""
        names = (name.rpartition("/")[2] for name in self._objects.names(PREFIX))
        return sorted(int(name) for name in names if name.isascii() and name.isdigit())

    def create(self, number: int, data: bytes) -> bool:
        """Publish an object under a number. False when the number is taken."""
        return self._objects.create(_name(number), data)

    def read(self, number: int, verifier: Verifier) -> Bundle:
        """Raises NorenError when there is none or it is not to be trusted."""
        return unseal(self._objects.read(_name(number)), number, verifier)

    def newest(self, verifier: Verifier) -> Bundle | None:
        """The newest bundle that is to be trusted; None when there is none."""
        return next(self.trusted(verifier), None)

    def trusted(self, verifier: Verifier) -> Iterator[Bundle]:
        """Bundles that are to be trusted, newest first."""
        for number in reversed(self.numbers()):
            try:
                yield self.read(number, verifier)
            except NorenError:
                continue  # the watcher of a pipeline tells of it; here the one before counts


def _name(number: int) -> str:
    return f"{PREFIX}/{number:012d}"
