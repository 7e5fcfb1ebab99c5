"""How long starts take at present, over all runs: what all have to wait for says nothing about one."""

import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from statistics import median
from typing import Final

from gather_operator.decisions.facts import JobFacts, PodFacts, UsualStarts

NEWEST: Final = 32
"""Starts of which the median is taken."""
AGE_MAX_S: Final = 300.0
"""A start that was seen longer ago says nothing about the present."""


class StartTimes:
    """Remembers the newest starts."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds."""
        self._jobs, self._pods = _Newest(clock), _Newest(clock)

    def saw(self, job: JobFacts | None, before: PodFacts | None, pod: PodFacts) -> None:
        """Take in a change of a pod; `before` is None where it is a new one, `job` where that is not known.

        Only a Job's first pod counts, and only where no queue, nor anybody else, has held the Job.
        """
        is_free = job is not None and not (job.is_queued or job.failed_pods or job.conditions)
        if before is None and job is not None and is_free:
            self._jobs.add(job.created, pod.created)
        if pod.started and not (before is not None and before.started):
            self._pods.add(pod.created, pod.started)

    @property
    def usual(self) -> UsualStarts:
        """Return how long starts take at present."""
        return UsualStarts(self._jobs.median_s, self._pods.median_s)


class _Newest:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, float]] = deque(maxlen=NEWEST)
        """When each was seen, and how long it took."""
        self._median_s = 0.0

    def add(self, begun: str, ended: str) -> None:
        """Take in from when to when a start took, in RFC 3339; what is none is passed over."""
        try:
            took_s = (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds()
        except (TypeError, ValueError):  # one with a time zone, one without
            return
        self._seen.append((self._clock(), max(0.0, took_s)))
        self._median_s = median(took_s for _, took_s in self._seen)

    @property
    def median_s(self) -> float:
        """Return the median, 0 of none."""
        if self._seen and self._clock() - self._seen[-1][0] > AGE_MAX_S:
            self._seen.clear()
            self._median_s = 0.0
        return self._median_s
