"""Disturb all services one after the other while runs are at work, and count what was lost or doubled.

Real MongoDB, Redis, Neo4j, brain, bridge, demo CMS, demo model and worker processes, without a cluster. What
is done follows from a seed. Disks are filled and memory is limited as root alone; the disks are gone with
this process, which has a mount namespace of its own.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

import redis

from dev.artefacts.store_binaries import StoreArtefacts
from dev.errors import WaitTimeoutError
from dev.waiting import wait_for
from gather_contracts import names
from tests.chaos.audit import Audit
from tests.chaos.charges import Pulse, read_charges
from tests.chaos.closing import close_projects
from tests.chaos.disturbances import SMALL, Disturbance, Disturber, all_names, drawn, impossible
from tests.chaos.listeners import Listener
from tests.chaos.played_operator import PlayedOperator, Shape
from tests.chaos.report import Done, table
from tests.chaos.world import BRIDGE, MODEL, REDIS, World, world
from tests.support.crash_harness import read_charged
from tests.support.workers.worker_forks import worker_forks

OWN_MOUNTS: Final = "GATHER_CHAOS_OWN_MOUNTS"
END_TIMEOUT_S: Final = 1500
"""From the last disturbance until all runs have ended: four attempts of five minutes and their back-off."""
HEARD_TIMEOUT_S: Final = 60
SUMS_DIFFER_USD: Final = 1e-6
"""Of the same numbers added in another order, rounded at most."""
SMALL_SCALE: Final = 0.25
SMALL_RUNS: Final = 3
SMALL_SHAPE: Final = Shape(iterations=2, timeout_s=300, backoff_s=2.0)


@dataclass(frozen=True)
class Options:
    """What of the campaign is carried out."""

    runs: int = 10
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
    listeners: list[Listener] = field(default_factory=list)

    def run(self) -> dict[str, list[str]]:
        """Carry everything out; return the breaches by run or project."""
        pulse = Pulse(self.world.services[MODEL].log)
        self.operator.on_project = self._listen
        self.operator.start(SMALL_RUNS if self.options.is_small else self.options.runs)
        try:
            self._disturb()
        finally:
            self.operator.begin_no_more()
        ended_at = time.monotonic()
        self.say(f"{len(self.done)} disturbances are over; the runs go on to their ends")
        self.operator.wait(END_TIMEOUT_S)
        pulse.stop()
        self._cost(pulse, ended_at)
        breaches = self._look()
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
        disturber = Disturber(self.world)
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

    # --- the end

    def _look(self) -> dict[str, list[str]]:
        """Look at everything twice: as it stands, and after each project's next worker."""
        Disturber(self.world).mend()
        self._until_heard()
        breaches: dict[str, list[str]] = {}
        for error in self.operator.errors:
            breaches.setdefault("a slot", []).append(f"{type(error).__name__}: {error}")
        first = Audit(self.world, read_charges(self.world.services[MODEL].log))
        first.look(self.operator.runs, self.listeners)
        self.say(f"as it stands: {first.counts}")
        said_usd = read_charged(self.world.services[MODEL].uri).cost_usd
        if abs(said_usd - first.charges.last_life_usd) > SUMS_DIFFER_USD:
            breaches["model"] = [f"it says {said_usd} USD, its log {first.charges.last_life_usd}"]
        count = len(self.operator.runs)
        differences = close_projects(self.world, self.operator, self.say)
        second = Audit(self.world, read_charges(self.world.services[MODEL].log))
        second.look(self.operator.runs, [])
        if second.counts.unindexed:
            breaches["all"] = [f"{second.counts.unindexed} notes wait after their project's next worker"]
        self.say(f"after {len(self.operator.runs) - count} closing runs: {second.counts}")
        for found in (first.breaches, second.breaches, differences):
            for name, said in found.items():
                known = breaches.setdefault(name, [])
                known += [each for each in said if each not in known]
        for listener in self.listeners:
            listener.stop()
        return breaches

    def _until_heard(self) -> None:
        """Wait until the listeners have come back and heard the rest; what they lack then is a breach."""

        def have_all() -> bool:
            with redis.Redis.from_url(self.world.services[REDIS].uri) as client:
                return all(
                    len(each.events) >= client.xlen(names.event_log(each.project_id))
                    for each in self.listeners
                )

        with suppress(WaitTimeoutError):
            wait_for("the listeners", have_all, HEARD_TIMEOUT_S)


def carry_out(options: Options, say: Callable[[str], None]) -> int:
    """Carry a campaign out and print what was found; return the exit code."""
    folder = options.folder or Path(tempfile.mkdtemp(prefix="gather-chaos-"))
    artefacts = StoreArtefacts.from_environment()
    began_at = time.monotonic()
    try:
        with worker_forks() as forks, world(folder, artefacts, is_short=options.is_small) as made:
            say(f"all services are there after {time.monotonic() - began_at:.0f} s")
            shape = SMALL_SHAPE if options.is_small else Shape()
            operator = PlayedOperator(made, forks, shape, options.seed)
            campaign = Campaign(made, operator, options, say)
            breaches = campaign.run()
        say(table(campaign.done, breaches))
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    return int(bool(breaches))


def _options() -> tuple[Options, bool]:
    parser = argparse.ArgumentParser(prog="make chaos ARGS=...", description=__doc__)
    parser.add_argument("--runs", type=int, default=10, metavar="N", help="runs at work at a time (10)")
    parser.add_argument("--seconds", type=float, default=1800, metavar="S", help="of disturbances (1800)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="which are drawn, and when (1)")
    parser.add_argument(
        "--only", action="append", default=[], choices=all_names(), metavar="NAME",
        help="this disturbance alone, such as kill/mongodb; repeatable",
    )  # fmt: skip
    parser.add_argument("--small", action="store_true", help="three short runs, a few disturbances once each")
    parser.add_argument("--list", action="store_true", help="name the disturbances and do nothing")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep logs and run files in this new folder"
    )
    given = parser.parse_args()
    if given.list:
        print("\n".join(all_names()))
        sys.exit(0)
    return Options(
        given.runs, given.seconds, given.seed, tuple(given.only), given.small, given.keep
    ), bool(given.list)  # fmt: skip


def main() -> None:
    """Carry out what the command line asks for; exit with 1 if a promise was broken."""
    options, _ = _options()
    if os.geteuid() == 0 and OWN_MOUNTS not in os.environ and shutil.which("unshare"):
        os.environ[OWN_MOUNTS] = "1"
        command = ["unshare", "--mount", sys.executable, "-m", __spec__.name, *sys.argv[1:]]
        os.execvp(command[0], command)  # noqa: S606 - its arguments are ours
    sys.exit(carry_out(options, lambda text: print(text, flush=True)))


if __name__ == "__main__":
    main()
