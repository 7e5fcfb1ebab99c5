"""Slows down what is done to a run again and again, because somebody else undoes it each time."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gather_clients.backoff import Backoff
from gather_operator.decisions.actions import Action, WriteDocument

FREE: Final = 3
"""Times that one action is carried out at once; a lost answer repeats it once, a killed operator twice."""
BACKOFF: Final = Backoff(1.0, 60.0)
CALM_S: Final = 300.0
"""An action that was not wanted for so long begins at the beginning."""


@dataclass(frozen=True, slots=True)
class _Done:
    times: int
    last_s: float


class ActionPacer:
    """Remembers, for runs that are at work, how often each action was carried out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds."""
        self._clock = clock
        self._done: dict[str, dict[str, _Done]] = {}

    def wait_s(self, run_uid: str, action: Action) -> float:
        """Return for how long the action has to wait, 0 if it may be carried out."""
        done = self._done.get(run_uid, {}).get(_name(action))
        if done is None or done.times < FREE:
            return 0.0
        return max(0.0, done.last_s + BACKOFF.wait_s(done.times - FREE + 1) - self._clock())

    def note(self, run_uid: str, action: Action) -> None:
        """Record that the action is carried out now."""
        now_s = self._clock()
        actions = self._done.setdefault(run_uid, {})
        before = actions.get(_name(action))
        is_again = before is not None and now_s - before.last_s <= CALM_S
        actions[_name(action)] = _Done(before.times + 1 if before and is_again else 1, now_s)

    def forget(self, run_uid: str) -> None:
        """Drop what is remembered of a run that has ended or is gone."""
        self._done.pop(run_uid, None)


def _name(action: Action) -> str:
    """Return what tells an action from others: a document by its kind alone, since its text is long."""
    return type(action).__name__ if isinstance(action, WriteDocument) else repr(action)
