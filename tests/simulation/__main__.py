"""`make simulate`: plays thousands of runs with faults drawn by seeds, or one seed with its whole trace."""

import argparse
import os
import signal
import sys
from collections import deque
from typing import Final

from tests.simulation.campaign import Sums, progress, replay_line, rest, run_campaign, table
from tests.simulation.mutants import MUTANTS, catch
from tests.support.simulation.simulation import simulate
from tests.support.simulation.virtual_time import virtual_time

PROGRESS_S: Final = 20.0
MARKS: Final = 10
"""The speed is counted over so many lines of progress."""
INTERRUPTED: Final = 128 + signal.SIGINT
"""A shell's exit code of what SIGINT has ended."""


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
    parser.add_argument(
        "--processes",
        type=int,
        default=os.cpu_count() or 1,
        help="seeds are played in so many processes (one for each core)",
    )
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
    return play_many(arguments)


def play_many(arguments: argparse.Namespace) -> int:
    """Play seeds, say now and then how far it is, and at the end what came of it; return the exit code."""
    runs, seconds, sums = arguments.runs, arguments.minutes * 60, Sums(arguments.first_seed)
    # The speed is that of the last minutes: what else the machine does changes.
    marks: deque[tuple[float, int]] = deque([(0.0, 0)], maxlen=MARKS)

    def report(sums: Sums) -> None:
        while sums.unsaid:
            seed, violation = sums.unsaid.pop(0)
            print(f"PROMISE BROKEN: {violation[:200]}\n  {replay_line(seed)}", flush=True)
        if sums.real_s - marks[-1][0] >= PROGRESS_S:
            print(progress(sums, runs, seconds, marks[0]), flush=True)
            marks.append((sums.real_s, sums.runs))

    def interrupt(number: int, _frame: object) -> None:
        """Note it: raised in the middle of a pool's start or end, an exception would leave its processes."""
        sums.is_interrupted = True
        signal.signal(number, signal.SIG_DFL)  # for who does not want to wait

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    print(
        f"{runs:,} runs or {arguments.minutes:g} minutes, from seed {sums.first_seed} on,"
        f" in {arguments.processes} processes; Ctrl-C ends it and says how to go on",
        flush=True,
    )
    run_campaign(sums, runs, seconds, arguments.processes, report)
    print("\n" + table(sums))
    if left := rest(sums, runs):
        print("\n" + left)
    if sums.violations:
        return 1
    return INTERRUPTED if sums.is_interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
