"""What the runs themselves say: why they wait, and why the latest failed; pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gather_cli.doctor.checks.room_checks import refusal_fix
from gather_cli.doctor.cluster_facts import Facts
from gather_cli.doctor.diagnosis import Finding, fail, ok, warn
from gather_cli.views.amounts import duration, seconds_between
from gather_cli.views.terminal import plain
from gather_contracts.runbook import NOTHING_NEEDED, what_helps

FINAL: Final = {"Succeeded", "Failed", "Cancelled"}
NEWS_S: Final = 86_400
"""An older failure is no news."""
SHOWN: Final = 300
STUCK_S: Final = 60
"""A run without a status for longer, or one that is to be deleted, has no operator."""
PASSING: Final = {
    "Waiting",
    "Suspended",
    "Cancelling",
    "Finished",
    "BackingOff",
    "ContainerCreating",
    "Terminating",
    "NodeLost",
}
Object = Mapping[str, Any]


def check_runs(facts: Facts) -> Iterator[Finding]:
    """Yield what runs that have not ended wait for, and why the newest that ended failed."""
    told: dict[tuple[str, str], Finding] = {}
    ended: list[Object] = []
    for run in facts.runs:
        phase = (run.get("status") or {}).get("phase")
        if phase in FINAL:
            ended.append(run)
            continue
        for reason, message, finding in _of_run(run, facts):
            told.setdefault((reason, message), finding)
    yield from told.values()
    newest = max(ended, key=lambda run: str(run["status"].get("completionTime", "")), default=None)
    if newest is not None and newest["status"]["phase"] == "Failed":
        yield from _of_failure(newest, facts)
    elif not told and facts.runs:
        yield ok("Runs", f"{len(facts.runs)} runs, none waits for anything that needs help")


def _of_run(run: Object, facts: Facts) -> Iterator[tuple[str, str, Finding]]:
    name, status, metadata = run["metadata"]["name"], run.get("status") or {}, run["metadata"]
    at_work = [d for d in status.get("departments") or () if d.get("phase") == "Running" and d.get("reason")]
    for department in at_work:
        yield from _finding(
            f"run {name}, {department['slug']}", department["reason"], department.get("message", "")
        )
    for condition in status.get("conditions") or ():
        if condition.get("status") != "True" and condition.get("reason") not in {
            d["reason"] for d in at_work
        }:
            yield from _finding(f"run {name}", condition.get("reason", ""), condition.get("message", ""))
    age = seconds_between(metadata.get("creationTimestamp"), None, facts.now) or 0
    if not status and age > STUCK_S:
        yield (
            "NoStatus",
            "",
            fail(
                "Runs",
                f"run {name} is {duration(age)} old, and no operator has looked at it",
                "see the operator's rows above: it is down, or watches another namespace",
            ),
        )
    going_s = seconds_between(metadata.get("deletionTimestamp"), None, facts.now) or 0
    if going_s > STUCK_S and metadata.get("finalizers"):
        yield (
            "Finalizer",
            "",
            warn(
                "Runs",
                f"run {name} is to be deleted for {duration(going_s)} and is "
                f"held by {', '.join(metadata['finalizers'])}",
                f"start the operator, or let it go: kubectl patch gatherrun {name} "
                f'--type=merge -p \'{{"metadata":{{"finalizers":[]}}}}\'',
            ),
        )


def _finding(where: str, reason: str, message: str) -> Iterator[tuple[str, str, Finding]]:
    help_line = what_helps(reason, "Reason", "WaitReason", "EndReason", "StopReason")
    if reason in PASSING or help_line.startswith(NOTHING_NEEDED) or not reason:
        return
    said = plain(message)[:SHOWN]
    fix = help_line or "kubectl describe gatherrun says more; docs/reasons.md lists all reasons"
    if reason in {"FailedCreate", "JobRefused"} and (special := refusal_fix(message)).startswith(
        ("raise", "start", "our")
    ):
        fix = special
    kind = warn if reason in {"BrainUnavailable", "WebhookGivenUp", "IndexUnavailable"} else fail
    yield reason, said, kind("Runs", f"{where}: {reason}: {said}", fix)


def _of_failure(run: Object, facts: Facts) -> Iterator[Finding]:
    """Yield why the newest run that has ended failed, if that is no longer ago than a day."""
    status, name = run["status"], run["metadata"]["name"]
    age = seconds_between(status.get("completionTime"), None, facts.now)
    if age is None or age > NEWS_S:
        return
    failed = [d for d in status.get("departments") or () if d.get("phase") == "Failed"]
    for department in failed[:1]:
        reason = department.get("reason", "")
        fix = what_helps(reason, "StopReason", "EndReason", "WaitReason", "DepartmentReason")
        yield warn(
            "Last run",
            f"{name} failed {duration(age)} ago, {department['slug']}: {reason}: "
            f"{plain(department.get('message', ''))[:SHOWN]}",
            fix or f"gather logs {name} -d {department['slug']}",
        )
    if not failed:
        reason = status.get("reason", "")
        said = next(
            (c.get("message", "") for c in status.get("conditions") or () if c.get("reason") == reason), ""
        )
        yield warn(
            "Last run",
            f"{name} failed {duration(age)} ago: {reason}: {plain(said)[:SHOWN]}",
            what_helps(reason, "Reason"),
        )
