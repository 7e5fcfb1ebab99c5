"""Disturb all services one after the other while runs are at work, and count what was lost or doubled.

Real MongoDB, Redis, Neo4j, brain, bridge, demo CMS, demo model, operator with an API server, and worker
processes for pods; there are no nodes. What is done follows from a seed. Disks are filled and memory is
limited as root alone; the disks are gone with this process, which has a mount namespace of its own.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from dev.artefacts.store_binaries import StoreArtefacts
from tests.chaos.audit import Counts
from tests.chaos.charges import Pulse
from tests.chaos.disturbances import SMALL, Disturbance, Disturber, all_names, drawn, impossible
from tests.chaos.ending import look_at_all
from tests.chaos.listeners import Listener
from tests.chaos.played_operator import PlayedOperator, Shape
from tests.chaos.real_operator import real_operator
from tests.chaos.report import Done, table
from tests.chaos.world import BRIDGE, MODEL, World, world
from tests.support.workers.worker_forks import worker_forks

OWN_MOUNTS: Final = "GATHER_CHAOS_OWN_MOUNTS"
END_TIMEOUT_S: Final = 1500
"""From the last disturbance until all runs have ended: four attempts of five minutes and their back-off."""
SMALL_SCALE: Final = 0.25
RUNS: Final = 10
SMALL_RUNS: Final = 3
SMALL_SHAPE: Final = Shape(iterations=2, timeout_s=300, backoff_s=2.0)


@dataclass(frozen=True)
class Options:
    """What of the campaign is carried out."""

    runs: int = RUNS
    seconds: float = 1800
    seed: int = 1
    only: tuple[str, ...] = ()
    is_small: bool = False
    folder: Path | None = None
    """Where everything is kept after the end; None: nowhere."""


@dataclass
class Campaign:
    """One campaign in a world that runs."""

    world: World
    operator: PlayedOperator
    options: Options
    say: Callable[[str], None]
    done: list[Done] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    """What did not come back by itself."""
    listeners: list[Listener] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    """As it stood at the end."""

    def run(self) -> dict[str, list[str]]:
        """Carry everything out; return the breaches by run or project."""
        pulse = Pulse(self.world.services[MODEL].log)
        self.operator.on_project = self._listen
        self.operator.start(self.options.runs)
        try:
            self._disturb()
        finally:
            self.operator.begin_no_more()
        ended_at = time.monotonic()
        self.say(f"{len(self.done)} disturbances are over; the runs go on to their ends")
        disturber = Disturber(self.world, self.stuck)
        self.operator.wait(END_TIMEOUT_S, disturber.keep_up)
        pulse.stop()
        self._cost(pulse, ended_at)
        disturber.mend()
        self.counts, breaches = look_at_all(self.world, self.operator, self.listeners, self.say)
        if self.stuck:
            breaches["services"] = self.stuck
        for one in self.done:
            one.broken = sorted(
                r.run.metadata.name
                for r in self.operator.runs
                if (r.run.metadata.name in breaches or r.project_id in breaches)
                and r.began_at < one.until_at
                and (r.ended_at or one.until_at) > one.began_at
            )
        return breaches

    def _listen(self, project_id: str) -> None:
        listener = Listener(self.world.uri(BRIDGE), project_id)
        self.listeners.append(listener)
        listener.start()

    # --- the disturbances

    def _disturb(self) -> None:
        disturber = Disturber(self.world, self.stuck)
        left_out = impossible(self.world)
        for name, why in left_out.items():
            self.say(f"{name} is left out: {why}")
        wanted = self.options.only or (SMALL if self.options.is_small else tuple(all_names()))
        names_ = [name for name in wanted if name not in left_out]
        plan = drawn(names_, self.options.seed, SMALL_SCALE if self.options.is_small else 1.0)
        ends_at = time.monotonic() + self.options.seconds
        for one in islice(plan, len(names_)) if self.options.is_small else plan:
            time.sleep(one.after_s)
            if not self.options.is_small and time.monotonic() > ends_at:
                return
            self._carry_out(disturber, one)

    def _carry_out(self, disturber: Disturber, one: Disturbance) -> None:
        began_at = time.monotonic()
        seen = disturber.carry_out(one)
        took_s = time.monotonic() - began_at
        self.done.append(Done(one, began_at, began_at + took_s, seen))
        self.say(f"{one.name}, {one.lasts_s:.0f} s, over after {took_s:.0f} s{f': {seen}' if seen else ''}")

    def _cost(self, pulse: Pulse, ended_at: float) -> None:
        """Note what each cost, until the next began."""
        tries = self.operator.tries()
        for one, following in zip(self.done, [*self.done[1:], None], strict=True):
            one.until_at = following.began_at if following else ended_at
            one.pause_s = pulse.longest_pause_s(one.began_at, one.until_at)
            one.attempts = sum(not t.is_good and one.began_at < t.ended_at < one.until_at for t in tries)


def carry_out(options: Options, say: Callable[[str], None]) -> int:
    """Carry a campaign out and print what was found; return the exit code."""
    folder = options.folder or Path(tempfile.mkdtemp(prefix="gather-chaos-"))
    artefacts = StoreArtefacts.from_environment()
    began_at = time.monotonic()
    try:
        with (
            worker_forks() as forks,
            world(folder, artefacts, is_short=options.is_small) as made,
            ExitStack() as stack,
        ):
            operator = (
                PlayedOperator(made, forks, SMALL_SHAPE, options.seed)
                if options.is_small
                else stack.enter_context(real_operator(made, forks, options.seed))
            )
            say(f"all services are there after {time.monotonic() - began_at:.0f} s")
            campaign = Campaign(made, operator, options, say)
            breaches = campaign.run()
        say(table(campaign.done, breaches))
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    return int(bool(breaches))


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="make chaos ARGS=...", description=__doc__)
    parser.add_argument("--runs", type=int, metavar="N", help="runs at work at a time (10; small: 3)")
    parser.add_argument("--seconds", type=float, default=1800, metavar="S", help="of disturbances (1800)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="which are drawn, and when (1)")
    parser.add_argument(
        "--only", action="append", default=[], choices=all_names(), metavar="NAME",
        help="this disturbance alone, such as kill/mongodb; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--small", action="store_true", help="short runs, a few disturbances once each (or --only)"
    )
    parser.add_argument("--list", action="store_true", help="name the disturbances and do nothing")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep logs and run files in this new folder"
    )
    given = parser.parse_args()
    if given.list:
        print("\n".join(all_names()))
        sys.exit(0)
    runs = given.runs or (SMALL_RUNS if given.small else RUNS)
    kept = given.keep.resolve() if given.keep else None  # services run in folders of their own
    return Options(runs, given.seconds, given.seed, tuple(given.only), given.small, kept)


def main() -> None:
    """Carry out what the command line asks for; exit with 1 if a promise was broken."""
    options = _options()
    if os.geteuid() == 0 and OWN_MOUNTS not in os.environ and shutil.which("unshare"):
        os.environ[OWN_MOUNTS] = "1"
        command = ["unshare", "--mount", sys.executable, "-m", __spec__.name, *sys.argv[1:]]
        os.execvp(command[0], command)  # noqa: S606 - its arguments are ours
    sys.exit(carry_out(options, lambda text: print(text, flush=True)))


if __name__ == "__main__":
    main()
