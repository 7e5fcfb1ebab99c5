"""A run as a tree: the run, its departments, their attempts, and what each waits for; pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gather_cli.views.amounts import count, dollars, duration, score, seconds_between
from gather_cli.views.terminal import Terminal, plain
from gather_contracts import names
from gather_contracts.runbook import what_to_do

COLOURS: Final = {
    "Succeeded": ("green",), "Running": ("cyan",), "Failed": ("red",), "Suspended": ("yellow",),
    "Cancelling": ("yellow",), "Cancelled": ("yellow",), "Skipped": ("dim",), "Pending": ("dim",),
}  # fmt: skip
GLYPHS: Final = {
    "Succeeded": ("✓", "+"), "Running": ("▸", ">"), "Failed": ("✗", "x"), "Skipped": ("-", "-"),
    "Cancelled": ("■", "#"), "Pending": ("·", "."),
}  # fmt: skip
"""How lines of the runbook begin against which there is nothing to do."""
OF_CONDITIONS: Final = ("Reason", "WaitReason", "EndReason", "StopReason", "DepartmentReason")
OF_WAITS: Final = ("WaitReason", "EndReason", "StopReason", "DepartmentReason")
OF_ENDS: Final = ("StopReason", "EndReason", "DepartmentReason", "WaitReason")
OF_SKIPS: Final = ("DepartmentReason",)
SLUG_WIDTH_MIN: Final = 16
Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tree:
    """One state of a run, to be shown."""

    run: Object
    now: datetime
    terminal: Terminal
    pods: Sequence[Object] = ()
    """Its worker pods, the oldest first; each is an attempt."""
    is_wide: bool = False

    @property
    def status(self) -> Object:
        """Return what the operator says of the run."""
        return self.run.get("status") or {}

    def first_line(self) -> str:
        """Return the run in one line: where it stands, how far it is, what it made and cost."""
        status, spec = self.status, self.run["spec"]
        phase = status.get("phase", "Pending")
        paint = self.terminal.paint
        parts = [
            paint(self.run["metadata"]["name"], "bold"),
            paint(phase, *COLOURS.get(phase, ())),
            f"{status['progress']} departments" if status.get("progress") else "",
            count(status.get("itemsCreated"), "note"),
            f"quality {score(status['qualityScore'])}" if status.get("qualityScore") else "",
            _money(status, spec),
            duration(self._elapsed_s()),
        ]
        return "  ".join(filter(None, parts))

    def lines(self) -> Iterator[str]:
        """Yield the tree, its first line first."""
        yield self.first_line()
        departments = list(self.status.get("departments") or [])
        notes = list(self._conditions())
        spec = self.run["spec"]
        yield self._branch(bool(departments or notes)) + self.terminal.paint(
            f"project {plain(spec.get('projectId'))}, user {plain(spec.get('userId'))}, "
            f"namespace {self.run['metadata'].get('namespace', '')}", "dim",
        )  # fmt: skip
        for place, department in enumerate(departments):
            is_last = place == len(departments) - 1 and not notes
            yield from self._department(department, is_last=is_last)
        for place, (head, fix) in enumerate(notes):
            is_last = place == len(notes) - 1
            yield self._branch(not is_last) + head
            if fix:
                yield self._stem(is_last) + self._fix(fix)

    def _elapsed_s(self) -> float | None:
        status = self.status
        start = status.get("startTime") or self.run["metadata"].get("creationTimestamp")
        return seconds_between(start, status.get("completionTime"), self.now)

    def _slug_width(self) -> int:
        return max(SLUG_WIDTH_MIN, *(len(each["slug"]) for each in self.status["departments"]))

    def _department(self, department: Object, *, is_last: bool) -> Iterator[str]:
        phase, reason = department.get("phase", "Pending"), department.get("reason", "")
        terminal = self.terminal
        glyph = terminal.paint(terminal.glyph(*GLYPHS.get(phase, ("·", "."))), *COLOURS.get(phase, ()))
        has_ended = phase not in {"Pending", "Running"}
        parts = [
            department["slug"].ljust(self._slug_width()),
            terminal.paint(f"{phase:<9}", *COLOURS.get(phase, ())),
            *_numbers(department, has_begun=bool(department.get("attempt")), is_wide=self.is_wide),
            duration(
                seconds_between(department.get("startTime"), department.get("completionTime"), self.now)
            ),
            reason if has_ended else "",
        ]
        yield self._branch(not is_last) + f"{glyph} " + "  ".join(filter(None, parts)).rstrip()
        stem = self._stem(is_last)
        attempts = self._attempts(department)
        is_told = bool(reason) and (not has_ended or phase in {"Failed", "Skipped"})
        told = list(self._why(department, reason, phase)) if is_told else []
        for place, line in enumerate(attempts):
            yield stem + self._branch(place < len(attempts) - 1) + line
        for line in told:
            yield stem + line

    def _why(self, department: Object, reason: str, phase: str) -> Iterator[str]:
        message = plain(department.get("message", ""))
        colour = "red" if phase == "Failed" else "yellow"
        yield self.terminal.paint(f"{reason}: {message}" if message else reason, colour)
        enums = OF_SKIPS if phase == "Skipped" else OF_ENDS if phase == "Failed" else OF_WAITS
        if fix := what_to_do(reason, *enums):
            yield self._fix(fix)

    def _attempts(self, department: Object) -> list[str]:
        """Return a line for each pod: with -o wide, or where there was more than one, or it failed."""
        pods = [
            pod for pod in self.pods
            if pod["metadata"].get("labels", {}).get(names.LABEL_DEPARTMENT) == department["slug"]
        ]  # fmt: skip
        is_shown = self.is_wide or len(pods) > 1 or (pods and department.get("phase") == "Failed")
        return [self._attempt(number, pod) for number, pod in enumerate(pods, 1)] if is_shown else []

    def _attempt(self, number: int, pod: Object) -> str:
        status = pod.get("status", {})
        ended = _worker_state(status).get("terminated", {})
        time_s = seconds_between(status.get("startTime"), ended.get("finishedAt"), self.now)
        parts = [
            f"attempt {number}", pod["metadata"]["name"], str(status.get("phase", "")), _end(ended, status),
            duration(time_s), str(pod.get("spec", {}).get("nodeName", "")) if self.is_wide else "",
        ]  # fmt: skip
        return self.terminal.paint("  ".join(filter(None, parts)), "dim")

    def _conditions(self) -> Iterator[tuple[str, str]]:
        """Yield what conditions say beside departments: why the run waits or failed, and what helps."""
        said = {d.get("reason") for d in self.status.get("departments") or () if d.get("phase") == "Running"}
        for condition in self.status.get("conditions") or ():
            reason, is_true = condition.get("reason", ""), condition.get("status") == "True"
            fix = what_to_do(reason, *OF_CONDITIONS)
            if is_true and reason != "DepartmentsLeftOut":
                continue
            if not fix or reason in said or reason == "DepartmentsFailed":
                continue
            head = f"{condition.get('type')}: {reason}: {plain(condition.get('message', ''))}"
            yield self.terminal.paint(head, "yellow"), fix

    def _fix(self, text: str) -> str:
        return self.terminal.glyph("→ ", "-> ") + text

    def _branch(self, has_more: bool) -> str:
        return self.terminal.glyph("├─ ", "|- ") if has_more else self.terminal.glyph("└─ ", "`- ")

    def _stem(self, is_last: bool) -> str:
        return "     " if is_last else self.terminal.glyph("│    ", "|    ")


def _money(status: Object, spec: Object) -> str:
    budget = spec.get("budget") or {}
    cap = budget.get("maxCostUSD")
    spent = dollars(status.get("costUSD")) + (f" of {dollars(cap)}" if cap is not None else "")
    tokens = budget.get("maxTokens")
    return spent + (
        f", {int(status.get('tokens') or 0):,} of {tokens:,} tokens" if tokens is not None else ""
    )


def _numbers(department: Object, *, has_begun: bool, is_wide: bool) -> list[str]:
    threshold = f"{float(department.get('threshold') or 0):g}"
    if not has_begun:
        return [f"threshold {threshold}"]
    limit = int(department.get("iterationLimit") or 0)
    attempt = int(department.get("attempt") or 0)
    done = int(department.get("iterations") or 0)
    return [
        f"{score(department.get('qualityScore'))} of {threshold}",
        count(department.get("itemsCreated"), "note"),
        f"{done} of {limit} iterations" if limit else count(done, "iteration"),
        f"attempt {attempt}" if attempt > 1 else "",
        dollars(department.get("costUSD")),
        f"{int(department.get('tokens') or 0):,} tokens" if is_wide else "",
        plain(department.get("model", "")) if is_wide else "",
    ]


def _worker_state(status: Object) -> Object:
    for container in status.get("containerStatuses") or ():
        if container.get("name") == "worker":
            state: Object = container.get("state") or {}
            return state
    return {}


def _end(ended: Object, status: Object) -> str:
    if not ended:
        return str(status.get("reason", ""))
    code = ended.get("exitCode", 0)
    return f"exit {code}" + (
        f" {ended['reason']}" if ended.get("reason") not in {None, "Error", "Completed"} else ""
    )
