"""Carry out all plans, several at a time, against one control plane, and say how many were survived.

`python -m tests.faults.campaign --help` lists the options.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from dev.progress import Reporter
from dev.stores import running
from gather_clients.event_log import EventLog
from tests.faults.cms_double import cms
from tests.faults.invariants import breaches, lateness
from tests.faults.plans import SAMPLE, Plan, parse_plan, plans_of, stable
from tests.faults.report import Result, table
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.trial import Outcome, Tools, Trial
from tests.support.kubernetes.api_proxy import KILLS
from tests.support.kubernetes.control_plane import control_plane
from tests.support.kubernetes.journal import Journals
from tests.support.kubernetes.operator_forks import operator_forks
from tests.support.kubernetes.plain_api import PlainApi

RECORDINGS: Final = 3
TRIES: Final = 3
"""A plan whose point was not passed is tried again: a slow machine makes a write more, or one less."""
LATE_TRIES: Final = 3
"""One that took too long beside others is tried again by itself."""
AT_ONCE: Final = 5
"""More would wait for the processor, and their times would say nothing."""
TLS_CLOSING_S: Final = 0.25
"""aiohttp closes TLS connections in the background, and nothing tells when it is done."""
SAYS_EVERY: Final = 25


@dataclass(frozen=True)
class Options:
    """What of the campaign is carried out."""

    only: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    is_sample: bool = False
    is_list: bool = False
    at_once: int = AT_ONCE
    file: Path | None = None

    def wants(self, plan: Plan) -> bool:
        """Return whether the plan is among them."""
        if self.scenarios and plan.scenario not in self.scenarios:
            return False
        return not self.faults or plan.fault.kind in self.faults


@dataclass
class Campaign:
    """Carries plans out."""

    tools: Tools
    options: Options
    say: Callable[[str], None] = print
    results: list[Result] = field(default_factory=list)
    _quiet: dict[str, asyncio.Task[Outcome]] = field(default_factory=dict)
    _alone_s: dict[str, float] = field(default_factory=dict)

    async def run(self) -> list[Result]:
        """Record quiet runs, make the plans, carry them out."""
        self._slots = asyncio.Semaphore(self.options.at_once)
        plans = await self._plans()
        if self.options.is_list:
            self.say("\n".join(plan.name for plan in plans))
            return []
        began_s = time.monotonic()
        self.say(f"{len(plans)} plans, {self.options.at_once} at a time")
        late: list[Plan] = []
        for done, task in enumerate(asyncio.as_completed([self._carry_out(plan) for plan in plans]), 1):
            result = await task
            if result.is_late:
                late.append(result.plan)
            else:
                self._note(result)
            if done % SAYS_EVERY == 0:
                self.say(f"{done} of {len(plans)} after {time.monotonic() - began_s:.0f} s")
        # Times of plans that share two cores with others say little.
        for plan in late:
            self._note(await self._alone(plan))
        return self.results

    def _note(self, result: Result) -> None:
        self.results.append(result)
        if self.options.file is not None:
            with self.options.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(result)) + "\n")
        if result.breaches:
            self.say(f"FAILED {result.plan.name}: {'; '.join(result.breaches)}")

    async def _alone(self, plan: Plan) -> Result:
        """Carry out by itself a plan that took too long beside others."""
        scenario = SCENARIOS[plan.scenario]
        if scenario.name not in self._alone_s:
            quiet = await self._trial(scenario)
            self._alone_s[scenario.name] = quiet.took_s
        for _ in range(LATE_TRIES):
            result = await self._carry_out(plan, self._alone_s[scenario.name])
            if not result.breaches:
                break
        return result

    async def _plans(self) -> list[Plan]:
        """Begin the quiet runs that are needed; return the plans, once those are over if they make them."""
        named = [parse_plan(name) for name in (SAMPLE if self.options.is_sample else self.options.only)]
        wanted = {plan.scenario for plan in named} or set(self.options.scenarios) or set(SCENARIOS)
        times = 1 if named else RECORDINGS
        for name in sorted(wanted):
            self._quiet[name] = asyncio.create_task(self._record(SCENARIOS[name], times))
        if named:
            return named
        found = [plans_of(SCENARIOS[name], (await self._quiet[name]).points) for name in sorted(wanted)]
        return [plan for some in found for plan in some if self.options.wants(plan)]

    async def _record(self, scenario: Scenario, times: int) -> Outcome:
        """Let the story pass without a fault, and return what was seen each time."""
        seen = await asyncio.gather(*(self._trial(scenario) for _ in range(times)))
        first = seen[0]
        first.took_s = median(outcome.took_s for outcome in seen)
        for outcome in seen:
            if wrong := breaches(scenario, outcome, first):
                raise RuntimeError(f"{scenario.name} without a fault: {'; '.join(wrong)}")
        first.points = stable([outcome.points for outcome in seen])
        return first

    async def _trial(self, scenario: Scenario, plan: Plan | None = None) -> Outcome:
        async with self._slots:
            return await Trial(self.tools, scenario, plan.fault if plan else None).run()

    async def _carry_out(self, plan: Plan, quiet_s: float | None = None) -> Result:
        scenario = SCENARIOS[plan.scenario]
        for _ in range(TRIES):
            seen = await self._trial(scenario, plan)
            quiet = await self._quiet[plan.scenario]
            found = breaches(scenario, seen, quiet, is_killed=plan.fault.kind in KILLS)
            if seen.has_fired or found:
                break
        extra_s = seen.took_s - (quiet.took_s if quiet_s is None else quiet_s)
        if plan.fault.kind in KILLS:
            extra_s -= seen.start_s  # what a process takes to start says most about the machine
        late = lateness(plan, extra_s) if seen.has_fired and not found else []
        return Result(plan, (*found, *late), extra_s, is_late=bool(late), is_reached=seen.has_fired)


@asynccontextmanager
async def tools(server: str, redis_url: str, folder: Path) -> AsyncIterator[Tools]:
    """Provide what trials share."""
    log = EventLog(redis_url)
    with operator_forks() as forks:
        async with PlainApi(server) as api, Journals(api) as journals, cms() as cms_url:
            yield Tools(api, journals, forks, log, redis_url, cms_url, folder)
    await log.close()
    await asyncio.sleep(TLS_CLOSING_S)


def carry_out(options: Options, folder: Path) -> list[Result]:
    """Carry out a campaign on a control plane of its own."""

    async def go(server: str, redis_url: str) -> list[Result]:
        async with tools(server, redis_url, folder) as shared:
            return await Campaign(shared, options, lambda text: print(text, flush=True)).run()

    with control_plane(folder, Reporter()) as plane, running("redis") as redis:
        return asyncio.run(go(plane.server, redis.uri))


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="make faults ARGS=...", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="replay one plan")
    parser.add_argument("--scenario", action="append", default=[], choices=tuple(SCENARIOS))
    parser.add_argument("--fault", action="append", default=[], help="such as kill-after, 504, lose, silent")
    parser.add_argument("--sample", action="store_true", help="one plan for each row and kind of fault")
    parser.add_argument("--list", action="store_true", help="name the plans and carry out none")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, metavar="N", help="plans at the same time")
    parser.add_argument(
        "--file", type=Path, help="append each plan's result to this file, one line of JSON each"
    )
    given = parser.parse_args()
    return Options(
        tuple(given.only), tuple(given.scenario), tuple(given.fault), given.sample, given.list, given.at_once,
        given.file,
    )  # fmt: skip


def main() -> None:
    """Carry out what the command line asks for; exit with 1 if a plan was not survived."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="gather-faults-") as folder:
        results = carry_out(options, Path(folder))
    if results:
        print(table(results))
    sys.exit(any(result.breaches for result in results))


if __name__ == "__main__":
    main()
