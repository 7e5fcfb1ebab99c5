"""What must hold after every trial, compared with one without a fault."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

from gather_contracts.reasons import RunPhase
from gather_operator.decisions.manifests import STOP_PATIENCE_S
from tests.faults.plans import Plan
from tests.faults.scenarios import FINAL, SCENARIOS, Scenario
from tests.faults.trial import Outcome
from tests.support.kubernetes.api_proxy import EVENT_FAULTS, KILLS

Json = dict[str, Any]

KILLED_MAX_S: Final = 10.0
"""docs/guarantees.md: an operator that was killed goes on within this time."""
EVENT_MAX_S: Final = 5.0
"""One lost, doubled or swapped event of a watch may cost so much."""
LIMITS_S: Final = {**dict.fromkeys(KILLS, KILLED_MAX_S), **dict.fromkeys(EVENT_FAULTS, EVENT_MAX_S)}
ENDED: Final = frozenset({"Succeeded", "Failed", "Skipped", "Cancelled"})
MADE_NAME: Final = re.compile(r"(film[-ab]*-(?:story|character|world))-[0-9a-f]{8}-(\d+)(?:-[a-z0-9]{5})?")
NAMESPACE: Final = re.compile(r"trial-\d+")
COUNTS: Final = ("iterations", "itemsCreated", "costUSD", "tokens")
NUMBERS: Final = (*COUNTS, "qualityScore")
TIMES: Final = ("startTime", "completionTime", "lastTransitionTime")


def breaches(scenario: Scenario, seen: Outcome, quiet: Outcome, *, is_killed: bool = False) -> list[str]:
    """Return each promise that was broken, in words; nothing if all held."""
    if not seen.has_ended:
        return list(seen.complaints)
    found = [*seen.complaints, *seen.overlaps]
    found += [f"left behind: {name}" for name in seen.leftovers]
    for run in scenario.runs:
        found += [f"{run}: {breach}" for breach in _of_run(scenario, run, seen, quiet, is_killed)]
    return found


def lateness(plan: Plan, extra_s: float) -> list[str]:
    """Return in words that a trial took too long, if it did and there is a limit."""
    limit_s = LIMITS_S.get(plan.fault.kind)
    if limit_s is not None and SCENARIOS[plan.scenario].on_dead_node:
        limit_s += STOP_PATIENCE_S  # a new operator counts it by its own clock
    if limit_s is None or extra_s <= limit_s:
        return []
    return [f"took {extra_s:.1f} s longer, more than {limit_s:.0f} s"]


def _of_run(scenario: Scenario, run: str, seen: Outcome, quiet: Outcome, is_killed: bool) -> Iterator[str]:
    statuses = seen.statuses[run]
    for what in ("jobs", "pods", "events"):
        is_, was = getattr(seen, what)[run], getattr(quiet, what)[run]
        if is_ != was:
            yield f"{what} {is_} instead of {was}"
    yield from _steps_back(statuses)
    if scenario.phase is None:
        return
    if statuses[-1]["phase"] != scenario.phase:
        yield f"ended as {statuses[-1]['phase']}"
    is_, was = comparable(statuses[-1]), comparable(quiet.statuses[run][-1])
    if is_killed:
        is_, was = _without_unseen_pods(scenario, is_), _without_unseen_pods(scenario, was)
    if is_ != was:
        yield f"status differs: {_difference(was, is_)}"


def comparable(status: Json) -> Json:
    """Return a status without its times and without what is made of UIDs."""
    text = MADE_NAME.sub(r"\1-\2", json.dumps(_without_times(status)))
    text = NAMESPACE.sub("trial", text)
    return dict(json.loads(text))


def _without_unseen_pods(scenario: Scenario, status: Json) -> Json:
    """Return a status without what a pod alone could say that was stopped and went with no operator there.

    Of a cancelled run that is what the pod's worker said last, which its ledger has; of a suspended one that
    there was an attempt more.
    """
    departments = status["departments"]
    if scenario.name == "suspend":
        return {**status, "departments": [{**d, "attempt": 0} for d in departments]}
    if scenario.phase is not RunPhase.CANCELLED:
        return status
    ended = [d for d in departments if d["phase"] != "Cancelled"]
    conditions = [{**c, "message": ""} for c in status["conditions"]]
    rest = {key: value for key, value in status.items() if key not in NUMBERS}
    return {**rest, "departments": ended, "conditions": conditions}


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(v) for key, v in value.items() if key not in TIMES}
    return [_without_times(v) for v in value] if isinstance(value, list) else value


def _steps_back(statuses: list[Json]) -> Iterator[str]:
    """Say where a run's numbers fell, or something that had ended went on."""
    for before, after in pairwise(statuses):
        if before["phase"] in FINAL and after["phase"] != before["phase"]:
            yield f"{before['phase']} became {after['phase']}"
        for name in COUNTS:
            if after.get(name, 0) < before.get(name, 0):
                yield f"{name} fell from {before[name]} to {after.get(name)}"
        pairs = zip(before.get("departments", []), after.get("departments", []), strict=False)
        for old, new in pairs:
            if old["phase"] in ENDED and new["phase"] != old["phase"]:
                yield f"{old['slug']}: {old['phase']} became {new['phase']}"


def _difference(was: Any, is_: Any, at: str = "") -> str:
    if isinstance(was, dict) and isinstance(is_, dict):
        keys = [k for k in was.keys() | is_.keys() if was.get(k) != is_.get(k)]
        return ", ".join(_difference(was.get(k), is_.get(k), f"{at}.{k}") for k in sorted(keys)[:4])
    if isinstance(was, list) and isinstance(is_, list) and len(was) == len(is_):
        pairs = [(n, a, b) for n, (a, b) in enumerate(zip(was, is_, strict=True)) if a != b]
        return ", ".join(_difference(a, b, f"{at}[{n}]") for n, a, b in pairs[:3])
    return f"{at} is {is_!r}, was {was!r}"
