"""Many simulations, one after the other in some processes: their sums, and the seeds that broke a promise."""

import gc
import itertools
import logging
import multiprocessing
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


@dataclass
class Sums:
    """What came of many simulations."""

    seeds: int = 0
    runs: int = 0
    virtual_s: float = 0.0
    calls: int = 0
    real_s: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    violations: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Which seeds broke each promise."""
    unsaid: list[tuple[int, str]] = field(default_factory=list)
    """Those of them that were not reported yet: seed and promise."""

    def add(self, outcome: Outcome) -> None:
        """Take one in."""
        self.seeds += 1
        self.runs += outcome.runs
        self.virtual_s += outcome.virtual_s
        self.calls += outcome.calls
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
    """Make a process fit: what is imported stays, and cycles are rare."""
    logging.disable(logging.CRITICAL)
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def run_campaign(
    first_seed: int, runs: int, seconds: float, processes: int, report: Callable[[Sums], None]
) -> Sums:
    """Play seeds until there were so many runs or the time is over; `report` gets the sums each time."""
    sums, began_s = Sums(), time.monotonic()
    starts = itertools.count(first_seed, BATCH)
    with multiprocessing.get_context("spawn").Pool(processes, _prepare) as pool:
        ahead = deque(_begin(pool, next(starts)) for _ in range(processes * 2))
        while ahead:
            for outcome in ahead.popleft().get():
                sums.add(outcome)
            sums.real_s = time.monotonic() - began_s
            report(sums)
            if sums.runs < runs and sums.real_s < seconds:
                ahead.append(_begin(pool, next(starts)))
    return sums


def _begin(pool: Pool, first_seed: int) -> "AsyncResult[list[Outcome]]":
    return pool.apply_async(play, (range(first_seed, first_seed + BATCH),))


def table(sums: Sums) -> str:
    """Return the sums for people."""
    rate = sums.runs / sums.real_s if sums.real_s else 0.0
    lines = [
        f"runs                {sums.runs:>10,}   (of {sums.seeds:,} seeds, {rate:.1f} runs a second)",
        f"virtual hours       {sums.virtual_s / HOUR_S:>10,.0f}",
        f"calls to services   {sums.calls:>10,}",
        f"faults              {sums.faults.total():>10,}",
        "runs by their end   "
        + ", ".join(f"{phase} {count:,}" for phase, count in sums.phases.most_common()),
        "",
        "faults by kind",
        *(f"  {kind:<28}{count:>8,}" for kind, count in sorted(sums.faults.items())),
        "",
        f"promises broken     {len(sums.violations):>10,}",
    ]
    for violation, seeds in sorted(sums.violations.items()):
        lines.append(f"  {len(seeds)} times: {violation[:200]}")
        lines += [f"    {replay_line(seed)}" for seed in seeds[:SHOWN_SEEDS]]
    return "\n".join(lines)


def replay_line(seed: int) -> str:
    """Return the command that plays a seed again, with all that happens in it."""
    return f'make simulate ARGS="--seed {seed}"'
