"""What a check found, with its fix, as a table for people and as JSON for machines; pure."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from gather_contracts.result import ExitCode

WIDTH: Final = 110
TEXT_MAX: Final = 500


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    """Runs work, but not as well as they could."""
    FAIL = "fail"
    SKIP = "skip"
    """Not looked at, for the reason that stands there."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    `is_required`: without it no run works. `is_transient`: waiting may help; else something must be changed.
    """

    name: str
    status: Status
    text: str
    fix: str = ""
    is_required: bool = False
    is_transient: bool = False


def ok(name: str, text: str) -> Finding:
    """Return that it works."""
    return Finding(name, Status.OK, text)


def skip(name: str, text: str) -> Finding:
    """Return that it was not looked at."""
    return Finding(name, Status.SKIP, text)


def warn(name: str, text: str, fix: str) -> Finding:
    """Return that it works, though not well."""
    return Finding(name, Status.WARN, text, fix)


def fail(name: str, text: str, fix: str) -> Finding:
    """Return that it does not work, and no run without it."""
    return Finding(name, Status.FAIL, text, fix, is_required=True)


def fail_now(name: str, text: str, fix: str) -> Finding:
    """Return that it does not work now, and no run without it; waiting may help."""
    return Finding(name, Status.FAIL, text, fix, is_required=True, is_transient=True)


def lacking(name: str, text: str, fix: str) -> Finding:
    """Return that it does not work, while runs go on without it."""
    return Finding(name, Status.FAIL, text, fix)


def exit_code_of(findings: Sequence[Finding], *, is_strict: bool = False) -> ExitCode:
    """Return 0 if all that is required works, 75 if waiting may help, else 64; `is_strict` requires all."""
    failed = [f for f in findings if f.status is Status.FAIL and (f.is_required or is_strict)]
    if not failed:
        return ExitCode.DONE
    return ExitCode.TRY_AGAIN if all(f.is_transient for f in failed) else ExitCode.NEVER


def as_json(findings: Sequence[Finding], code: ExitCode) -> dict[str, Any]:
    """Return the report for machines."""
    entries = [
        {
            "name": f.name,
            "status": f.status.value,
            "required": f.is_required,
            "finding": f.text[:TEXT_MAX],
            "fix": f.fix[:TEXT_MAX],
        }
        for f in findings
    ]
    return {"ok": code is ExitCode.DONE, "exitCode": int(code), "findings": entries}


def as_table(findings: Sequence[Finding], code: ExitCode) -> str:
    """Return the report for people: what was found, and under it what to do."""
    names = max((len(f.name) for f in findings), default=0)
    lines: list[str] = []
    for finding in findings:
        head = f"{finding.status.value:<4}  {finding.name:<{names}}  "
        lines += _wrapped(head, finding.text)
        if finding.fix:
            lines += _wrapped(f"{'':{len(head) - 2}}> ", finding.fix)
    return "\n".join([*lines, "", _verdict(findings, code)]) + "\n"


def _wrapped(head: str, text: str) -> list[str]:
    room = " " * len(head)
    return textwrap.wrap(
        " ".join(text[:TEXT_MAX].split()) or "-", WIDTH, initial_indent=head, subsequent_indent=room
    )


def _verdict(findings: Sequence[Finding], code: ExitCode) -> str:
    counts = {status: sum(f.status is status for f in findings) for status in Status}
    counted = f"{counts[Status.OK]} ok, {counts[Status.WARN]} to look at, {counts[Status.FAIL]} failed"
    if code is not ExitCode.DONE:
        return f"Runs will not work: {counted}. Mend what failed, then check again."
    rest = "; runs go on without what failed" if counts[Status.FAIL] else ""
    return f"Runs can work: {counted}{rest}."
