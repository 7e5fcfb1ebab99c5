"""Many simulations, one after the other in some processes: their sums, and the seeds that broke a promise."""

import gc
import itertools
import logging
import multiprocessing
import signal
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.pool import AsyncResult, Pool
from typing import Final

from tests.support.simulation.simulation import Outcome, simulate
from tests.support.simulation.virtual_time import virtual_time

BATCH: Final = 10
"""Seeds that a process plays before it reports."""
SHOWN_SEEDS: Final = 8
HOUR_S: Final = 3600
LOOK_S: Final = 0.5
"""So soon an interruption is noticed, and so often the sums are reported although nothing was played."""


@dataclass
class Sums:
    """What came of many simulations, of seeds that follow each other."""

    first_seed: int = 1
    seeds: int = 0
    runs: int = 0
    virtual_s: float = 0.0
    calls: int = 0
    real_s: float = 0.0
    processor_s: float = 0.0
    is_interrupted: bool = False
    faults: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    violations: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Which seeds broke each promise."""
    unsaid: list[tuple[int, str]] = field(default_factory=list)
    """Those of them that were not reported yet: seed and promise."""

    @property
    def next_seed(self) -> int:
        """Return the first seed that was not played."""
        return self.first_seed + self.seeds

    @property
    def broken_seeds(self) -> list[int]:
        """Return the seeds that broke a promise."""
        return sorted({seed for seeds in self.violations.values() for seed in seeds})

    def add(self, outcome: Outcome) -> None:
        """Take one in."""
        self.seeds += 1
        self.runs += outcome.runs
        self.virtual_s += outcome.virtual_s
        self.calls += outcome.calls
        self.processor_s += outcome.processor_s
        self.faults.update(outcome.faults)
        self.phases.update(outcome.phases)
        for violation in outcome.violations:
            self.violations[violation].append(outcome.seed)
            self.unsaid.append((outcome.seed, violation))


def play(seeds: Iterable[int]) -> list[Outcome]:
    """Play some seeds in this process."""
    with virtual_time():
        return [simulate(seed) for seed in seeds]


def _prepare() -> None:
    """Make a process fit: what is imported stays, cycles are rare, and signals to end are for the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable(logging.CRITICAL)
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def run_campaign(
    sums: Sums, runs: int, seconds: float, processes: int, report: Callable[[Sums], None]
) -> None:
    """Play seeds into `sums` until there are so many runs, the time is over, or `sums` are interrupted.

    `report` gets them after each batch, and every half second while there is none.
    """
    began_s = time.monotonic()
    starts = itertools.count(sums.next_seed, BATCH)
    with _pool(processes) as pool:
        ahead = deque(_begin(pool, next(starts)) for _ in range(processes * 2))
        while ahead and not sums.is_interrupted:
            ahead[0].wait(LOOK_S)
            if ahead[0].ready():
                for outcome in ahead.popleft().get():
                    sums.add(outcome)
                if sums.runs < runs and time.monotonic() - began_s < seconds:
                    ahead.append(_begin(pool, next(starts)))
            sums.real_s = time.monotonic() - began_s
            report(sums)


def _pool(processes: int) -> Pool:
    """Start processes that a terminal's Ctrl-C does not reach, not even before they ignore it."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return multiprocessing.get_context("spawn").Pool(processes, _prepare)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _begin(pool: Pool, first_seed: int) -> "AsyncResult[list[Outcome]]":
    return pool.apply_async(play, (range(first_seed, first_seed + BATCH),))


def progress(sums: Sums, runs: int, seconds: float, since: tuple[float, int] = (0.0, 0)) -> str:
    """Return one line: what was played, how fast, when it will end, and how many seeds broke a promise.

    `since`: a time of `real_s` and the runs that there were then, from which on the speed is counted.
    """
    said = (
        f"{sums.real_s / 60:5.1f} min: {sums.runs:,} of {runs:,} runs ({sums.runs / runs:.0%}),"
        f" {sums.faults.total():,} faults, {len(sums.broken_seeds)} seeds failed"
    )
    since_s, runs_then = since
    if sums.runs <= runs_then or sums.runs >= runs:
        return said
    rate = (sums.runs - runs_then) / (sums.real_s - since_s)
    left_s, time_s = (runs - sums.runs) / rate, max(0.0, seconds - sums.real_s)
    end = f"{left_s / 60:.0f} min to go"
    if left_s > time_s:
        end = f"the time ends in {time_s / 60:.0f} min, at about {sums.runs + rate * time_s:,.0f} runs"
    return f"{said}; {rate:.1f} runs a second, {end}"


def rest(sums: Sums, runs: int) -> str:
    """Return what was not played, with the command that goes on; "" if nothing is left."""
    if sums.runs >= runs:
        return ""
    why = "interrupted" if sums.is_interrupted else "the time is over"
    go_on = f'make simulate ARGS="--first-seed {sums.next_seed} --runs {runs - sums.runs}"'
    return f"{why} after {sums.runs:,} of {runs:,} runs; to go on: {go_on}"


def table(sums: Sums) -> str:
    """Return the sums for people."""
    rate = sums.runs / sums.real_s if sums.real_s else 0.0
    processor_s = sums.processor_s / sums.runs if sums.runs else 0.0
    lines = [
        f"seeds               {sums.seeds:>10,}   ({sums.first_seed} to {sums.next_seed - 1})",
        f"runs                {sums.runs:>10,}   ({rate:.1f} a second)",
        f"processor time      {sums.processor_s:>10,.0f} s ({processor_s:.2f} s a run)",
        f"virtual hours       {sums.virtual_s / HOUR_S:>10,.0f}",
        f"calls to services   {sums.calls:>10,}",
        f"faults              {sums.faults.total():>10,}",
        "runs by their end   "
        + ", ".join(f"{phase} {count:,}" for phase, count in sums.phases.most_common()),
        "",
        "faults by kind",
        *(f"  {kind:<28}{count:>8,}" for kind, count in sorted(sums.faults.items())),
        "",
        f"promises broken     {len(sums.violations):>10,}   (by {len(sums.broken_seeds)} seeds)",
    ]
    for violation, seeds in sorted(sums.violations.items()):
        lines.append(f"  {len(seeds)} times: {violation[:200]}")
        lines += [f"    {replay_line(seed)}" for seed in seeds[:SHOWN_SEEDS]]
    return "\n".join(lines)


def replay_line(seed: int) -> str:
    """Return the command that plays a seed again, with all that happens in it."""
    return f'make simulate ARGS="--seed {seed}"'
