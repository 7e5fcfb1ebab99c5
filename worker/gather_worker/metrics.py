"""What this process measures, added to what the department's earlier attempts left in the checkpoint.

One process works on one department, so there is one meter, as there is one log. Its totals are written with
every checkpoint and not counted from there: a write that is repeated or lost counts nothing twice, and a
successor goes on from the last one that was saved.
"""

import functools
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final, ParamSpec, TypeVar

from gather_contracts.meters import (
    BOUNDS_S,
    COUNT_MAX,
    ITEMS_PER_ITERATION_MAX,
    SCORED_ITERATIONS,
    Meters,
    Timer,
    bucket,
)

P = ParamSpec("P")
T = TypeVar("T")
MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Lap:
    """What one iteration took; parts of it may have run at the same time."""

    wall_s: float
    model_s: float
    """In which the model was awaited, for an answer or for its Retry-After."""
    store_s: float
    brain_s: float
    dedupe_s: float

    @property
    def own_s(self) -> float:
        """Return the time that is not the model's."""
        return max(0.0, self.wall_s - self.model_s)

    def log_fields(self) -> dict[str, int]:
        """Return it in milliseconds, for a log line."""
        seconds = {"wall": self.wall_s, "own": self.own_s, "model": self.model_s, "mongodb": self.store_s,
                   "brain": self.brain_s, "deduplication": self.dedupe_s}  # fmt: skip
        return {f"{name}_ms": round(1000 * value) for name, value in seconds.items()}


class Meter:
    """Counts and times; `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started_at: float | None = None
        self._tallies: dict[Timer, list[int]] = {}
        self._items = [0] * (ITEMS_PER_ITERATION_MAX + 1)
        self._kept = Meters()
        self._written = 0
        self._threshold_ms: int | None = None
        self._evaluations = [0, 0]
        self._judge_parts = [0, 0]
        self._waiting = 0
        self._waiting_since = 0.0
        self._waited_s = 0.0

    def begin(self, started_at: float) -> None:
        """The process was started then; the first wait for the model ends its start."""
        self._started_at = started_at

    def resume(self, kept: Meters) -> None:
        """Go on from what earlier attempts measured."""
        self._kept = kept

    # --- counting

    def observe(self, timer: Timer, seconds: float) -> None:
        """Count one time."""
        tally = self._tallies.setdefault(timer, [0] * (len(BOUNDS_S) + 2))
        tally[0] += round(seconds * MICROSECONDS)
        tally[1 + bucket(seconds)] += 1

    @contextmanager
    def timing(self, timer: Timer) -> Iterator[None]:
        """Count how long the block takes, however it ends."""
        started = self._clock()
        try:
            yield
        finally:
            self.observe(timer, self._clock() - started)

    @contextmanager
    def waiting_for_model(self) -> Iterator[None]:
        """Count the block as the model's time; blocks that overlap count once."""
        now = self._clock()
        if self._started_at is not None:
            self.observe(Timer.START, now - self._started_at)
            self._started_at = None
        if self._waiting == 0:
            self._waiting_since = now
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            if self._waiting == 0:
                self._waited_s += self._clock() - self._waiting_since

    def judged(self, written: int, kept: int) -> None:
        """One iteration's notes were written, and so many of them are new."""
        self._written += written
        self._items[min(kept, ITEMS_PER_ITERATION_MAX)] += 1

    def reached(self, seconds: float) -> None:
        """The threshold was reached, so long after the department was begun."""
        self._threshold_ms = min(COUNT_MAX, max(0, round(1000 * seconds)))

    def evaluated(self, *, is_sent: bool) -> None:
        """An evaluation was queued, or could not be."""
        self._evaluations[not is_sent] += 1

    def heard(self, parts: int, unquoted: int) -> None:
        """Verdicts on quality came, of which so many parts quote nothing of the notes and do not count."""
        self._judge_parts[0] += parts - unquoted
        self._judge_parts[1] += unquoted

    # --- reading

    def start_lap(self) -> Callable[[], Lap]:
        """Begin an iteration; call what is returned at its end, which counts it."""
        before = self._lap()

        def end() -> Lap:
            now = self._lap()
            lap = Lap(*(late - early for late, early in zip(now, before, strict=True)))
            self.observe(Timer.ITERATION, lap.wall_s)
            self.observe(Timer.OWN, lap.own_s)
            return lap

        return end

    def _lap(self) -> tuple[float, ...]:
        sums = (self._tallies.get(timer, [0])[0] for timer in (Timer.STORE, Timer.BRAIN, Timer.DEDUPE))
        now = self._clock()
        # A wait may begin in one iteration and end in the next, each of which has its part of it.
        waiting_s = now - self._waiting_since if self._waiting else 0.0
        return (now, self._waited_s + waiting_s, *(total / MICROSECONDS for total in sums))

    def totals(self, scores: Sequence[float | None] = ()) -> Meters:
        """Return all of it, earlier attempts included; `scores` are the quality after each iteration."""
        kept = self._kept
        timers = [timer for timer in Timer if timer in kept.times or timer in self._tallies]
        return Meters(
            times={t: _added(kept.times.get(t, ()), self._tallies.get(t, ())) for t in timers},
            items=_added(kept.items, self._items),
            written=kept.written + self._written,
            scores=[scores[number - 1] for number in SCORED_ITERATIONS if number <= len(scores)],
            threshold_ms=kept.threshold_ms if self._threshold_ms is None else self._threshold_ms,
            evaluations_sent=kept.evaluations_sent + self._evaluations[0],
            evaluations_failed=kept.evaluations_failed + self._evaluations[1],
            judge_parts=_added(kept.judge_parts, self._judge_parts),
        )


METER: Final = Meter()
"""This process's."""


def metered(
    timer: Timer,
) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """Count how long each call of an async function takes."""

    def wrap(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        @functools.wraps(function)
        async def call(*args: P.args, **kwargs: P.kwargs) -> T:
            with METER.timing(timer):
                return await function(*args, **kwargs)

        return call

    return wrap


def _added(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """Return the sums of two rows of counts, without the zeros at the end."""
    added = [a + b for a, b in zip_longest(one, other, fillvalue=0)]
    while added and added[-1] == 0:
        added.pop()
    return added
