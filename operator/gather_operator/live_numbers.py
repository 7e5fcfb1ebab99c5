"""Live numbers of departments, from the event channels.

They are never the truth: a pod's result replaces them. After every (re)connect the tail of each
project's log is read again, so that a restart does not show a run standing still.
"""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

from gather_clients.backoff import Backoff
from gather_clients.event_log import EventLog, EventLogDamaged, EventLogUnavailable
from gather_contracts.events import Event, IterationComplete
from gather_operator.decisions.facts import Numbers
from gather_operator.metrics import EVENT_LOG_UP

logger = logging.getLogger(__name__)

RUNS_MAX: Final = 4096
"""Runs that are remembered; the least recently updated go first."""
DEPARTMENTS_MAX: Final = 64
"""Per run; twice what a run can have, so that a forged slug cannot grow it."""
TAIL: Final = 1000
"""Events that are read again per project: more than two runs of 200 iterations."""
NUMBERED: Final = "iteration_complete"
"""The type of event that has numbers."""
RECONNECT: Final = Backoff(1.0, 15.0)
COUNT_MAX: Final = 2**40
QUALITY_MAX: Final = 100


class LiveNumbers:
    """The furthest numbers received, by run and department."""

    def __init__(self) -> None:
        self._runs: OrderedDict[str, dict[str, Numbers]] = OrderedDict()

    def of_run(self, run_uid: str) -> dict[str, Numbers]:
        """Return the run's numbers by department slug."""
        return dict(self._runs.get(run_uid, {}))

    def take(self, event: Event) -> bool:
        """Take an event in; return whether it changed anything."""
        if not isinstance(event, IterationComplete) or not event.run_uid or not _is_plausible(event):
            return False
        departments = self._runs.setdefault(event.run_uid, {})
        self._runs.move_to_end(event.run_uid)
        while len(self._runs) > RUNS_MAX:
            self._runs.popitem(last=False)
        known = departments.get(event.department)
        if known is None and len(departments) >= DEPARTMENTS_MAX:
            return False
        if known is not None and event.iteration < known.iterations:
            return False
        departments[event.department] = _numbers(event)
        return departments[event.department] != known

    def forget(self, run_uid: str) -> None:
        """Drop a run that is gone."""
        self._runs.pop(run_uid, None)


class Listener:
    """Feeds live numbers from the event log until cancelled."""

    def __init__(
        self,
        log: EventLog,
        numbers: LiveNumbers,
        notify: Callable[[str], None],
        projects: Callable[[], Iterable[str]],
        is_ours: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """`notify` gets the UID of each run that moved; `projects` names those with unfinished runs.

        `is_ours`: the run is this shard's.
        """
        self._is_ours = is_ours
        self._log = log
        self._numbers = numbers
        self._notify = notify
        self._projects = projects

    async def run(self) -> None:
        """Subscribe, refill, listen; begin again whenever the connection breaks, or whatever else happens."""
        failures = 0
        while True:
            began_s = time.monotonic()
            try:
                await self._listen()
            except EventLogUnavailable as error:
                logger.warning("event log unavailable; live progress pauses", extra={"error": str(error)})
            except Exception:
                # Live numbers are optional: nothing that comes from Redis may end the operator.
                logger.exception("listening to the event log failed unexpectedly; beginning again")
            EVENT_LOG_UP.set(0)
            failures = 1 if time.monotonic() - began_s > RECONNECT.last_s else failures + 1
            await asyncio.sleep(RECONNECT.wait_s(failures))

    async def refill(self, project_id: str) -> None:
        """Read the end of a project's log; raises EventLogUnavailable if Redis does not answer."""
        try:
            events = await self._log.tail(project_id, TAIL)
        except EventLogDamaged as error:
            logger.warning(
                "a project's event log is damaged; its live progress waits for new events",
                extra={"project": project_id, "error": str(error)},
            )
            return
        for event in events:
            self._take(event)

    async def _listen(self) -> None:
        async with self._log.subscribed() as events:
            EVENT_LOG_UP.set(1)
            for project_id in set(self._projects()):
                await self.refill(project_id)
            async for stored in events:
                if stored.type != NUMBERED:
                    continue
                with contextlib.suppress(ValueError):  # of another version, or somebody else's
                    self._take(stored.decode())

    def _take(self, event: Event) -> None:
        if self._is_ours(event.run_uid) and self._numbers.take(event):
            self._notify(event.run_uid)


def _is_plausible(event: IterationComplete) -> bool:
    """Anyone may publish on a channel; a number that the CRD refuses would block every status write."""
    counts = (event.iteration, event.items_created, event.tokens, event.cost_usd)
    return all(0 <= n < COUNT_MAX for n in counts) and 0 <= event.quality_score <= QUALITY_MAX


def _numbers(event: IterationComplete) -> Numbers:
    return Numbers(
        iterations=event.iteration,
        items_created=event.items_created,
        quality_score=event.quality_score,
        cost_usd=event.cost_usd,
        tokens=event.tokens,
    )
