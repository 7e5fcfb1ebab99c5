"""The Events of Jobs and pods that wait: read seldom, one list at a time, and in no pass's way.

The API server reads all Events of a namespace for each list of one object's. So a flood of them makes each
list dear; pauses as long as that keep lists a small part of its time, for all runs together.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from gather_clients.background_tasks import OnDemandTask
from gather_clients.backoff import Backoff
from gather_clients.kube_api.cluster_errors import AnswerTooLong, ClusterError
from gather_operator.decisions.facts import ObjectEvent

logger = logging.getLogger(__name__)

INTERVAL_S: Final = 20.0
"""Between two lists for one run."""
REST: Final = 4
"""A pause is so many times as long as the list before it took."""
PACE_S: Final = 0.1
"""The shortest pause."""
BACKOFF: Final = Backoff(5.0, 300.0)
"""After lists that failed, for all runs: a missing right fails them all."""
FORGOTTEN_S: Final = 120.0
"""A run that has not asked for so long has ended, or is looked at no more."""
KEPT_MAX: Final = 10
"""Newest Events of one object."""


class Reader(Protocol):
    """What lists Events."""

    async def list_events(self, object_name: str) -> list[ObjectEvent]:
        """Return the Events about an object, the newest last; raises ClusterError."""
        ...


@dataclass(slots=True)
class _Waiting:
    """A run that waits, and what is known of its objects."""

    due_s: float
    asked_s: float
    events: dict[str, tuple[ObjectEvent, ...]] = field(default_factory=dict)
    """By object, the one that was read longest ago first."""


class EventReadings:
    """Reads Events for runs that wait, and wakes a run when there are new ones.

    Args:
        reader: lists Events.
        wake: called with a run's UID.
        interval_s: between two lists for one run.
        clock: counts seconds.
    """

    def __init__(
        self,
        reader: Reader,
        wake: Callable[[str], None],
        interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._wake = wake
        self._interval_s = interval_s
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}
        self._not_before_s = 0.0
        self._failures = 0
        self._task = OnDemandTask(self._serve)

    def ask(self, run_uid: str, objects: Sequence[str]) -> tuple[ObjectEvent, ...]:
        """Return the known Events of the objects, the newest last; they are read from now on.

        Without objects the run waits for nothing that Events would explain.
        """
        if not objects:
            self.forget(run_uid)
            return ()
        waiting = self._waiting.get(run_uid)
        if waiting is None:
            waiting = self._waiting[run_uid] = _Waiting(self._clock(), self._clock())
            self._task.need()
        waiting.asked_s = self._clock()
        known = waiting.events
        waiting.events = {
            **{name: () for name in objects if name not in known},
            **{name: events for name, events in known.items() if name in objects},
        }
        return tuple(sorted((e for events in waiting.events.values() for e in events), key=lambda e: e.at))

    def forget(self, run_uid: str) -> None:
        """Drop what is known of a run that waits no more, or is gone."""
        self._waiting.pop(run_uid, None)

    async def close(self) -> None:
        """End the list that is under way."""
        self._waiting.clear()
        await self._task.close()

    async def _serve(self) -> None:
        while self._waiting:
            uid, waiting = min(self._waiting.items(), key=lambda item: item[1].due_s)
            left_s = max(waiting.due_s, self._not_before_s) - self._clock()
            if left_s > 0:
                await self._task.pause(left_s)
                continue
            if self._clock() - waiting.asked_s > FORGOTTEN_S:
                self.forget(uid)
                continue
            name = next(iter(waiting.events))
            before = waiting.events.pop(name)
            waiting.events[name] = before
            began_s = self._clock()
            found = await self._read(name)
            now_s = self._clock()
            self._not_before_s = max(self._not_before_s, now_s + max(PACE_S, REST * (now_s - began_s)))
            waiting.due_s = now_s + self._interval_s
            if found is None or name not in waiting.events:
                continue
            waiting.events[name] = found
            if found != before and self._waiting.get(uid) is waiting:
                self._wake(uid)

    async def _read(self, name: str) -> tuple[ObjectEvent, ...] | None:
        """Return the newest Events of an object; None if they cannot be read, which harms nobody."""
        asked_s = 0.0
        try:
            found = tuple((await self._reader.list_events(name))[-KEPT_MAX:])
        except AnswerTooLong as error:
            logger.warning("Events are too long to be read", extra={"object": name, "error": str(error)})
            return None
        except ClusterError as error:
            asked_s = error.retry_after_s or 0.0
            level = logging.DEBUG if self._failures else logging.WARNING
            logger.log(level, "Events cannot be read; asking again later", extra={"error": str(error)})
        except Exception:
            logger.exception("Events cannot be read, by a fault of ours; asking again later")
        else:
            self._failures = 0
            return found
        self._failures += 1
        self._not_before_s = self._clock() + max(BACKOFF.wait_s(self._failures), asked_s)
        return None
