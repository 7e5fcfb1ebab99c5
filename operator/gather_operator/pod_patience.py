"""Gives up pods that were to end long ago and still stand, as on a dead node.

A node that nobody hears of keeps its pods terminating for ever, and a Job waits for them as long. Their
successor is safe: it takes the next epoch, and what a woken worker writes is refused.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from gather_operator.decisions.facts import PodFacts
from gather_operator.decisions.manifests import STOP_PATIENCE_S


class PodPatience:
    """Knows since when each pod was seen terminating, by this process's own clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds."""
        self._clock = clock
        self._since_s: dict[str, dict[str, float]] = {}

    def judge(self, run_uid: str, pods: Sequence[PodFacts]) -> tuple[PodFacts, ...]:
        """Return the run's pods, with those marked that are given up."""
        ending = {p.name for p in pods if p.is_terminating and not p.is_gone}
        if not ending:
            self._since_s.pop(run_uid, None)
            return tuple(pods)
        now_s, known = self._clock(), self._since_s.get(run_uid, {})
        since_s = self._since_s[run_uid] = {name: known.get(name, now_s) for name in ending}
        given_up = {name for name, began_s in since_s.items() if now_s - began_s > STOP_PATIENCE_S}
        return tuple(replace(p, is_given_up=p.name in given_up) if given_up else p for p in pods)

    def forget(self, run_uid: str) -> None:
        """Drop what is remembered of a run that has ended or is gone."""
        self._since_s.pop(run_uid, None)
