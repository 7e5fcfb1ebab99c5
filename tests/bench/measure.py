"""Reading the machine and its processes: time, memory, load; and what a row of numbers comes to."""

import math
import os
import platform
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import psutil

MIB: Final = 1024**2
BUSY_SAMPLE_S: Final = 1.0
MEMORY_EVERY_S: Final = 0.005
MS_PER_S: Final = 1000


@dataclass(frozen=True, slots=True)
class Spread:
    """What a row of values comes to; percentiles are values that were measured (nearest rank)."""

    n: int
    least: float
    median: float
    p95: float
    most: float


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of at least one value."""
    ordered = sorted(values)
    return Spread(len(ordered), ordered[0], ranked(ordered, 0.5), ranked(ordered, 0.95), ordered[-1])


def ranked(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of the values do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True)
class Memory:
    """One process's memory in MiB: resident, its proportional share, and the highest resident of all time."""

    rss: float
    pss: float
    peak_rss: float


def memory_of(pid: int) -> Memory:
    """Return a process's memory now."""
    found = psutil.Process(pid).memory_full_info()
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    peak_kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    return Memory(found.rss / MIB, found.pss / MIB, peak_kib / 1024)


@dataclass(slots=True)
class Rise:
    """How far a process's resident memory rose at the most, in MiB."""

    mib: float = 0.0


@contextmanager
def memory_rise(pid: int) -> Iterator[Rise]:
    """Watch a process's resident memory every few milliseconds while the block lasts."""
    rise, ended, process = Rise(), threading.Event(), psutil.Process(pid)
    before = process.memory_info().rss

    def watch() -> None:
        while not ended.wait(MEMORY_EVERY_S):
            rise.mib = max(rise.mib, (process.memory_info().rss - before) / MIB)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield rise
    finally:
        ended.set()
        watcher.join()


def cpu_s(pid: int) -> float:
    """Return the seconds of processor time that a process has used until now, to 10 ms."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and under what load something was measured."""

    processor: str
    cores: int
    memory_gib: float
    python: str
    load_1_min: float
    busy_share: float
    """Of all cores during one second before the measuring began."""

    def as_line(self) -> str:
        """Return it in one line."""
        return (
            f"{self.cores} cores ({self.processor}), {self.memory_gib:.0f} GiB, Python {self.python}; "
            f"before: load {self.load_1_min:.1f}, processors {self.busy_share:.0%} busy with other things"
        )

    def as_json(self) -> dict[str, Any]:
        """Return it for a file."""
        return asdict(self)


def this_machine() -> Machine:
    """Look at the machine for a second."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=psutil.virtual_memory().total / MIB / 1024,
        python=platform.python_version(),
        load_1_min=os.getloadavg()[0],
        busy_share=psutil.cpu_percent(interval=BUSY_SAMPLE_S) / 100,
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")
