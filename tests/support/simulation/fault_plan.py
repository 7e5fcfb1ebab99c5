"""What goes wrong in one simulation, all of it drawn from its seed.

Faults of single calls are drawn when the call is made; everything else, such as outages, dead nodes and what
people do, is drawn before the start. After `until_s` nothing goes wrong any more, so that whatever is still
under way has to come to its end.
"""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

SERVICES: Final = ("api", "mongodb", "redis", "brain", "model", "cms")
WEIGHTS: Final = {"model": 3, "cms": 5, "brain": 1.5}
"""Of services that are called seldom."""
KILLS: Final = ("killed before", "killed after")
CALL_FAULTS: Final = ("lost", "unanswered", "slow", "late answer", "refused", *KILLS)
INTENSITIES: Final = (0.0, 0.0, 0.01, 0.03, 0.08)
OUTAGES_MAX: Final = 3
MOURNED_SHARE: Final = 0.35
HOUR_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Outage:
    """A service that is away for a while."""

    service: str
    from_s: float
    to_s: float
    is_hanging: bool
    """It takes connections and never answers; else it refuses them."""
    loses_data: bool = False


@dataclass(frozen=True, slots=True)
class Mishap:
    """Something that happens once, or that somebody does."""

    at_s: float
    kind: str
    number: int = 0
    """Which run, node or process, modulo how many there are."""
    size: float = 0.0


MISHAPS: Final = {
    "kill operator": 0.5,
    "kill worker": 0.5,
    "stop worker": 0.2,
    "node dies": 0.3,
    "delete job": 0.15,
    "delete pod": 0.25,
    "delete document": 0.1,
    "evict pod": 0.15,
    "lose results": 0.05,
    "watches break": 0.3,
    "watch falls silent": 0.15,
    "run watch is deaf": 0.2,
    "versions expire": 0.15,
    "operator clock": 0.15,
    "worker clock": 0.15,
    "duplicate operator": 0.15,
    "person deletes notes": 0.15,
    "cancel": 0.12,
    "delete run": 0.12,
}
"""Kinds with their chances; one may come up to three times."""


@dataclass
class FaultPlan:
    """Draws faults and counts those that happened."""

    rng: random.Random
    until_s: float
    rates: dict[str, float] = field(default_factory=dict)
    kinds: tuple[str, ...] = CALL_FAULTS
    outages: list[Outage] = field(default_factory=list)
    mishaps: list[Mishap] = field(default_factory=list)
    is_mourned: bool = False
    """After a worker's death a person deletes notes, before its successor comes."""
    happened: Counter[str] = field(default_factory=Counter)

    def draw(self, service: str, now_s: float, *, may_kill: bool, may_refuse: bool) -> str | None:
        """Return what goes wrong with a call, None if nothing does."""
        rate = self.rates.get(service, 0.0)
        if now_s >= self.until_s or not rate or self.rng.random() >= rate:
            return None
        kind = self.rng.choice(self.kinds)
        if (kind in KILLS and not may_kill) or (kind == "refused" and not may_refuse):
            kind = "unanswered"
        self.happened[f"{service}: {kind}"] += 1
        return kind

    def outage(self, service: str, now_s: float) -> Outage | None:
        """Return why the service does not answer now."""
        for each in self.outages:
            if each.service == service and each.from_s <= now_s < each.to_s:
                return each
        return None


def draw_plan(
    rng: random.Random, chances: Mapping[str, float] = MISHAPS, *, is_calm: bool = False
) -> FaultPlan:
    """Draw a simulation's plan; a calm one has no faults. `chances` are of mishaps, by kind."""
    plan = FaultPlan(rng, until_s=rng.uniform(60, 400))
    if is_calm:
        return plan
    plan.rates = {service: rng.choice(INTENSITIES) * WEIGHTS.get(service, 1) for service in SERVICES}
    chosen = rng.sample(CALL_FAULTS, rng.randint(2, len(CALL_FAULTS)))
    plan.kinds = tuple(kind for kind in CALL_FAULTS if kind in chosen)
    plan.is_mourned = rng.random() < MOURNED_SHARE
    for _ in range(rng.choice((0, 0, 1, 1, 2, OUTAGES_MAX))):
        plan.outages.append(_draw_outage(rng, plan.until_s))
    for kind, chance in chances.items():
        for _ in range(3):
            if rng.random() >= chance:
                break
            at_s = plan.until_s * rng.random() ** 1.5
            is_clock = "clock" in kind
            size = (
                rng.choice((-HOUR_S, HOUR_S)) if is_clock else min(rng.uniform(5, 400), plan.until_s - at_s)
            )
            plan.mishaps.append(Mishap(at_s, kind, rng.randrange(100), size))
    plan.mishaps.sort(key=lambda each: each.at_s)
    return plan


def _draw_outage(rng: random.Random, until_s: float) -> Outage:
    service = rng.choice(SERVICES)
    begin_s = rng.uniform(0, until_s * 0.9)
    end_s = min(until_s, begin_s + rng.choice((5.0, 30.0, 90.0, 400.0)) * rng.uniform(0.5, 1.5))
    loses_data = service == "redis" and rng.random() < 0.4
    return Outage(service, begin_s, end_s, rng.random() < 0.4, loses_data)
