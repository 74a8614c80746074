"""What processes use: CPU seconds and memory."""

from collections.abc import Mapping

import psutil

MEBIBYTE = 1 << 20


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time so far."""
    used = process.cpu_times()
    return float(used.user + used.system)


def resident(process: psutil.Process) -> float:
    """Resident memory, MiB."""
    return float(process.memory_info().rss / MEBIBYTE)


class Meter:
    """CPU seconds of some processes, by name, since it was made."""

    def __init__(self, processes: Mapping[str, psutil.Process]) -> None:
        self._processes = processes
        self._before = {name: cpu_seconds(process) for name, process in processes.items()}

    def read(self) -> dict[str, float]:
        return {name: cpu_seconds(process) - self._before[name] for name, process in self._processes.items()}


def slope(moments: list[float], values: list[float]) -> float:
    """Growth of the values in one unit of the moments, by least squares; 0 for fewer than two."""
    count = len(moments)
    if count < 2:
        return 0.0
    middle, mean = sum(moments) / count, sum(values) / count
    spread = sum((moment - middle) ** 2 for moment in moments)
    if not spread:
        return 0.0
    return sum((m - middle) * (v - mean) for m, v in zip(moments, values, strict=True)) / spread
