"""Gives up pods that were to end long ago and still stand, as on a dead node.

A node that nobody hears of keeps its pods terminating forever, and a Job waits for them as long. Their
successor is safe: it takes the next epoch, and what a woken worker writes is refused.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gather_operator.decisions.facts import PodFacts
from gather_operator.decisions.manifests import STOP_PATIENCE_S

GAP_S: Final = 60.0
"""A Job that was not stuck for less than this was between two pods that are."""


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


@dataclass(frozen=True, slots=True)
class _Stuck:
    since_s: float
    seen_s: float


class StartPatience:
    """Knows since when each Job waits for what never comes right by itself, by this process's own clock."""

    def __init__(self, patience_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """After `patience_s` seconds a Job is overdue; 0: never. `clock` counts seconds."""
        self._patience_s = patience_s
        self._clock = clock
        self._stuck: dict[str, dict[str, _Stuck]] = {}

    def judge(self, run_uid: str, stuck: Collection[str]) -> frozenset[str]:
        """Return those of the run's Jobs that are overdue; `stuck` are those that wait now."""
        if not self._patience_s or not (stuck or run_uid in self._stuck):
            return frozenset()
        now_s, known = self._clock(), self._stuck.get(run_uid, {})
        kept = {name: one for name, one in known.items() if now_s - one.seen_s <= GAP_S}
        for name in stuck:
            kept[name] = _Stuck(kept[name].since_s if name in kept else now_s, now_s)
        if not kept:
            self.forget(run_uid)
            return frozenset()
        self._stuck[run_uid] = kept
        return frozenset(name for name in stuck if now_s - kept[name].since_s >= self._patience_s)

    def forget(self, run_uid: str) -> None:
        """Drop what is remembered of a run that has ended or is gone."""
        self._stuck.pop(run_uid, None)
