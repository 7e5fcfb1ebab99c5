"""One reading of the CMS for all runs that wait for one, so that no pass over a run waits for the CMS."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from gather_clients.background_tasks import OnDemandTask
from gather_clients.backoff import Backoff
from gather_operator.decisions.facts import CmsFailure, CmsReading, CmsSilence
from gather_operator.errors import CmsUnavailable

logger = logging.getLogger(__name__)

BACKOFF: Final = Backoff(2.0, 30.0)
"""Between readings that failed, whatever the number of runs."""
REFRESH_S: Final = 5.0
"""Between readings while a run waits for departments that the CMS does not name yet."""


class Reader(Protocol):
    """What reads the CMS."""

    async def departments(self) -> CmsReading:
        """Return the departments that take part; raises CmsUnavailable."""
        ...


@dataclass(slots=True)
class _Waiting:
    """A run that waits for an answer."""

    asked_s: float
    answered_s: float | None = None
    """When it first got a reading of those that followed each other without a failure."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """How the newest request ended."""

    outcome: CmsReading | CmsFailure
    began_s: float
    ended_s: float
    wait_s: float
    """Until the next request, where no run came later than this one."""
    least_wait_s: float
    """Until the next request at any rate."""

    @property
    def newest_asked_s(self) -> float:
        """Return until when a run may have asked so that this is its answer.

        A reading that began earlier may lack a correction in the CMS for which the run was made.
        """
        return self.ended_s if isinstance(self.outcome, CmsFailure) else self.began_s


class SharedReadings:
    """Asks the CMS while runs wait, one request at a time; each answer wakes the runs that it is for.

    Args:
        reader: asks the CMS.
        wake: called with a run's UID once there is an answer for it.
        patience_s: for how long a run that lacks departments gets further readings.
        clock: counts seconds.
    """

    def __init__(
        self,
        reader: Reader,
        wake: Callable[[str], None],
        patience_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._wake = wake
        self._patience_s = patience_s
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}
        self._newest: _Answer | None = None
        self._failures = 0
        self._task = OnDemandTask(self._serve)

    def ask(self, run_uid: str) -> CmsReading | CmsFailure | CmsSilence:
        """Return the newest answer that is no older than the run's first question, or for how long none came.

        The run is woken by each answer until it is forgotten.
        """
        now_s = self._clock()
        waiting = self._waiting.get(run_uid)
        if waiting is None:
            waiting = self._waiting[run_uid] = _Waiting(now_s)
            self._task.need()
        newest = self._newest
        if newest is None or waiting.asked_s > newest.newest_asked_s:
            return CmsSilence(now_s - waiting.asked_s)
        if isinstance(newest.outcome, CmsFailure):
            waiting.answered_s = None
            return newest.outcome
        if waiting.answered_s is None:
            waiting.answered_s = now_s
        return replace(newest.outcome, is_last=now_s - waiting.answered_s >= self._patience_s)

    def forget(self, run_uid: str) -> None:
        """Stop waiting for a run that has its departments, has ended or is gone.

        The last one ends the request.
        """
        if self._waiting.pop(run_uid, None) is not None and not self._waiting:
            self._task.end()

    async def close(self) -> None:
        """End the request."""
        self._waiting.clear()
        await self._task.close()

    async def _serve(self) -> None:
        while self._waiting:
            await self._pause()
            began_s = self._clock()
            outcome, after_s = await self._read()
            self._newest = answer = self._answer(outcome, began_s, after_s)
            for uid, waiting in list(self._waiting.items()):
                if waiting.asked_s <= answer.newest_asked_s:
                    self._wake(uid)

    async def _pause(self) -> None:
        """Wait until the CMS may be asked; a run that comes meanwhile makes it sooner."""
        while (left_s := self._due_s() - self._clock()) > 0:
            await self._task.pause(left_s)

    def _due_s(self) -> float:
        newest = self._newest
        if newest is None:
            return 0
        has_newcomer = any(w.asked_s > newest.newest_asked_s for w in self._waiting.values())
        return newest.ended_s + (newest.least_wait_s if has_newcomer else newest.wait_s)

    async def _read(self) -> tuple[CmsReading | CmsFailure, float]:
        """Return the outcome, and for how long the CMS asks to be left alone."""
        try:
            return await self._reader.departments(), 0
        except CmsUnavailable as error:
            logger.warning("the CMS cannot be read; asking again later", extra={"error": str(error)})
            return CmsFailure(str(error)), error.retry_after_s or 0
        except Exception:
            logger.exception("the CMS cannot be read, by a fault of ours; asking again later")
            return CmsFailure("The CMS cannot be read, by a fault of the operator; its log says more."), 0

    def _answer(self, outcome: CmsReading | CmsFailure, began_s: float, after_s: float) -> _Answer:
        if isinstance(outcome, CmsReading):
            self._failures, wait_s, least_wait_s = 0, min(REFRESH_S, max(self._patience_s, 1.0)), 0.0
        else:
            self._failures += 1
            wait_s = max(BACKOFF.wait_s(self._failures), after_s)
            least_wait_s = max(BACKOFF.first_s, after_s)
        return _Answer(outcome, began_s, self._clock(), wait_s, least_wait_s)
