"""What is new in a run, one line for each change, fit for a log; pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from gather_cli.views.amounts import count, dollars, score
from gather_cli.views.terminal import plain
from gather_contracts.runbook import what_helps

Object = Mapping[str, Any]


def news_of(before: Object, run: Object, now: datetime) -> Iterator[str]:
    """Yield what is new since `before`, which is empty at first."""
    at = now.astimezone().strftime("%H:%M:%S")
    old, status = before.get("status") or {}, run.get("status") or {}
    known = {department["slug"]: department for department in old.get("departments") or ()}
    if not before and not status:
        yield f"{at} {run['metadata']['name']}: Pending"
    for department in status.get("departments") or ():
        for line in _of_department(known.get(department["slug"], {}), department):
            yield f"{at} {department['slug']}: {line}"
    yield from (f"{at} {line}" for line in _of_conditions(old, status))
    if (phase := status.get("phase")) != old.get("phase") and phase:
        yield f"{at} {run['metadata']['name']}: {phase}, {_totals(status)}"


def _of_department(old: Object, new: Object) -> Iterator[str]:
    phase, reason = new.get("phase", "Pending"), new.get("reason", "")
    if phase == "Pending":
        return
    if phase != old.get("phase"):
        yield f"{phase}{f', {reason}' if reason and phase != 'Running' else ''}"
    if new.get("attempt", 0) > max(1, old.get("attempt", 0)):
        yield f"attempt {new['attempt']}"
    if new.get("iterations", 0) > old.get("iterations", 0):
        yield (
            f"iteration {new['iterations']}, {score(new.get('qualityScore'))} of "
            f"{float(new.get('threshold') or 0):g}, {count(new.get('itemsCreated'), 'note')}, "
            f"{dollars(new.get('costUSD'))}"
        )
    if reason and reason != old.get("reason") and phase == "Running":
        fix = what_helps(reason, "WaitReason", "EndReason", "StopReason", "DepartmentReason")
        yield f"{reason}: {plain(new.get('message', ''))}{f' -> {fix}' if fix else ''}"


def _of_conditions(old: Object, new: Object) -> Iterator[str]:
    known = {(c.get("type"), c.get("reason")) for c in old.get("conditions") or ()}
    at_work = {d.get("reason") for d in new.get("departments") or ()}
    for condition in new.get("conditions") or ():
        reason = condition.get("reason", "")
        if condition.get("status") == "True" or (condition.get("type"), reason) in known or reason in at_work:
            continue
        fix = what_helps(reason, "Reason")
        if fix and not fix.startswith("Nothing is needed"):
            yield f"{reason}: {plain(condition.get('message', ''))} -> {fix}"


def _totals(status: Object) -> str:
    made = [
        f"{status['progress']} departments" if status.get("progress") else "",
        count(status.get("itemsCreated"), "note"),
        f"quality {score(status['qualityScore'])}" if status.get("qualityScore") else "",
        dollars(status.get("costUSD")),
    ]
    return ", ".join(filter(None, made))
