"""How far an output is, in objects whose names say all.

`outputs/<name>/done/<last entry>` and, for the run that it is at, `outputs/<name>/runs/<first>-<last>`.
"""

from dataflow.objects import Objects


class OutputProgress:
    """Of one output of one shard. Used by the output's own thread alone."""

    def __init__(self, objects: Objects, shard: str, output: str) -> None:
        self._objects = objects
        self._prefix = f"{shard}/outputs/{output}"
        done = [int(name) for name in self._names("done")]
        self.done = max(done, default=-1)
        """Number of the last entry that is put out for sure."""

    def begun(self) -> tuple[int, int] | None:
        """Bounds of the run that was begun and not ended, if there is one."""
        for name in self._names("runs"):
            first, last = map(int, name.split("-"))
            if last > self.done:
                return first, last
        return None

    def begin(self, first: int, last: int) -> None:
        """Record the bounds of a run before it is put out."""
        self._objects.create(f"{self._prefix}/runs/{first:012d}-{last:012d}", b"")

    def end(self, last: int) -> None:
        """Record that everything up to this entry is put out."""
        if last > self.done:
            self._objects.create(f"{self._prefix}/done/{last:012d}", b"")
            self.done = last
        for name in self._names("done"):
            if int(name) < self.done:
                self._objects.delete(f"{self._prefix}/done/{name}")
        for name in self._names("runs"):
            if int(name.split("-")[1]) <= self.done:
                self._objects.delete(f"{self._prefix}/runs/{name}")

    def _names(self, kind: str) -> list[str]:
        return [name.rpartition("/")[2] for name in self._objects.names(f"{self._prefix}/{kind}")]
