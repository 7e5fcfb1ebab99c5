"""What was found, each with its fix, as a table and as JSON; pure."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from gather_cli.errors import Exit
from gather_cli.views.terminal import Terminal, plain

WIDTH: Final = 110
TEXT_MAX: Final = 600


class Status(StrEnum):
    """How a look ended."""

    OK = "ok"
    WARN = "warn"
    """Runs work, but not as they should, or not all."""
    FAIL = "fail"
    """Runs do not work."""
    SKIP = "skip"
    """Not looked at, for the reason that stands there."""


COLOURS: Final = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "red", Status.SKIP: "dim"}
ORDER: Final = (Status.FAIL, Status.WARN, Status.SKIP, Status.OK)


@dataclass(frozen=True, slots=True)
class Finding:
    """One row."""

    name: str
    """What was looked at."""
    status: Status
    text: str
    fix: str = ""


def ok(name: str, text: str) -> Finding:
    """Return that it works."""
    return Finding(name, Status.OK, text)


def warn(name: str, text: str, fix: str) -> Finding:
    """Return that runs may work in spite of it."""
    return Finding(name, Status.WARN, text, fix)


def fail(name: str, text: str, fix: str) -> Finding:
    """Return that no run works."""
    return Finding(name, Status.FAIL, text, fix)


def skip(name: str, text: str, fix: str = "") -> Finding:
    """Return that it was not looked at."""
    return Finding(name, Status.SKIP, text, fix)


def sorted_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Return each finding once, what is wrong first."""
    once = dict.fromkeys(findings)
    return sorted(once, key=lambda found: ORDER.index(found.status))


def exit_code_of(findings: Sequence[Finding], *, is_strict: bool) -> Exit:
    """Return 0 if runs can work, else 1; `is_strict` counts warnings too."""
    wrong = {Status.FAIL, Status.WARN} if is_strict else {Status.FAIL}
    return Exit.FAILED if any(found.status in wrong for found in findings) else Exit.DONE


def as_data(findings: Sequence[Finding], code: Exit) -> dict[str, Any]:
    """Return the report for machines."""
    rows = [
        {"name": f.name, "status": f.status.value, "finding": _cut(f.text), "fix": _cut(f.fix)}
        for f in findings
    ]
    return {"ok": code is Exit.DONE, "exitCode": int(code), "findings": rows}


def as_lines(findings: Sequence[Finding], terminal: Terminal) -> list[str]:
    """Return the report for people: what was found, under it what to do, and a verdict at the end."""
    width = max((len(found.name) for found in findings), default=0)
    lines: list[str] = []
    for found in findings:
        mark = terminal.paint(f"{found.status.value:<4}", COLOURS[found.status])
        room = " " * (4 + 2 + width + 2)
        body = textwrap.wrap(_cut(found.text), max(40, WIDTH - len(room))) or ["-"]
        lines.append(f"{mark}  {found.name:<{width}}  {body[0]}")
        lines += [room + line for line in body[1:]]
        if found.fix:
            arrow = terminal.glyph("→ ", "> ")
            fix = textwrap.wrap(_cut(found.fix), max(40, WIDTH - len(room) - 2))
            lines += [room + (arrow if place == 0 else "  ") + line for place, line in enumerate(fix)]
    return [*lines, "", verdict(findings)]


def verdict(findings: Sequence[Finding]) -> str:
    """Return the report in one line."""
    counts = {status: sum(found.status is status for found in findings) for status in Status}
    counted = f"{counts[Status.OK]} ok, {counts[Status.WARN]} to look at, {counts[Status.FAIL]} wrong"
    if counts[Status.SKIP]:
        counted += f", {counts[Status.SKIP]} not looked at"
    if counts[Status.FAIL]:
        return f"Runs will not work: {counted}. Mend the first that is wrong, then look again."
    return f"Runs can work, as far as can be seen from here: {counted}."


def _cut(text: str) -> str:
    shown = plain(text)
    return shown if len(shown) <= TEXT_MAX else f"{shown[: TEXT_MAX - 1]}…"
