"""`make simulate`: plays thousands of runs with faults drawn by seeds, or one seed with its whole trace."""

import argparse
import sys
import time
from typing import Final

from tests.simulation.campaign import Sums, replay_line, run_campaign, table
from tests.simulation.mutants import MUTANTS, catch
from tests.support.simulation.simulation import simulate
from tests.support.simulation.virtual_time import virtual_time

PROGRESS_S: Final = 20.0


def parsed() -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(
        prog="make simulate",
        description="Play operator, workers and stores in one process on a virtual clock, with faults.",
    )
    parser.add_argument("--seed", type=int, help="play this seed alone and print all that happens in it")
    parser.add_argument("--first-seed", type=int, default=1, help="begin with this seed (1)")
    parser.add_argument("--runs", type=int, default=10_000, help="end after so many runs (10,000)")
    parser.add_argument("--minutes", type=float, default=30, help="end after this time (30)")
    parser.add_argument("--processes", type=int, default=2, help="seeds are played in so many processes (2)")
    parser.add_argument(
        "--mutants",
        type=int,
        metavar="SEEDS",
        help="show that each fault of our own is caught in so many seeds",
    )
    return parser.parse_args()


def replay(seed: int) -> int:
    """Play one seed and print its trace; return how many promises it broke."""
    with virtual_time():
        outcome = simulate(seed, is_verbose=True)
    print("\n".join(outcome.lines))
    ends = ", ".join(f"{phase} {count}" for phase, count in outcome.phases.items())
    print(f"\nseed {seed}: {outcome.virtual_s:.0f} virtual seconds, {ends}; trace {outcome.trace}")
    for kind, count in sorted(outcome.faults.items()):
        print(f"  fault: {kind} {count}")
    for violation in outcome.violations:
        print(f"  PROMISE BROKEN: {violation}")
    return len(outcome.violations)


def try_mutants(seeds: int, first_seed: int) -> int:
    """Print for each mutant which seed caught it, and by what; return how many live."""
    alive = 0
    for mutant in MUTANTS:
        caught = catch(mutant, range(first_seed, first_seed + seeds))
        alive += caught is None
        how = f"seed {caught.seed}: {caught.violation[:90]}" if caught else f"NOT CAUGHT by {seeds} seeds"
        print(f"{mutant.name:<58}{how}", flush=True)
    return alive


def main() -> int:
    """Return the process's exit code."""
    arguments = parsed()
    if arguments.seed is not None:
        return min(1, replay(arguments.seed))
    if arguments.mutants:
        return min(1, try_mutants(arguments.mutants, arguments.first_seed))
    last_s = [time.monotonic()]

    def report(sums: Sums) -> None:
        while sums.unsaid:
            seed, violation = sums.unsaid.pop(0)
            print(f"PROMISE BROKEN: {violation[:200]}\n  {replay_line(seed)}", flush=True)
        if time.monotonic() - last_s[0] < PROGRESS_S:
            return
        last_s[0] = time.monotonic()
        print(
            f"{sums.real_s / 60:5.1f} min: {sums.runs:,} runs, {sums.faults.total():,} faults,"
            f" {len(sums.violations)} promises broken",
            flush=True,
        )

    sums = run_campaign(
        arguments.first_seed, arguments.runs, arguments.minutes * 60, arguments.processes, report
    )
    print("\n" + table(sums))
    return min(1, len(sums.violations))


if __name__ == "__main__":
    sys.exit(main())
