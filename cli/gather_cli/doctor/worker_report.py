"""What `gather-worker check` found, as findings of ours: from its JSON, or from its table; pure."""

import json
import re
from collections.abc import Iterator
from typing import Final

from gather_cli.doctor.diagnosis import Finding, Status
from gather_cli.views.terminal import plain

ROW: Final = re.compile(r"^(ok|warn|fail|skip) {2,4}(\S.*?)  +(\S.*)$")
FIX: Final = re.compile(r"^\s+> (.*)$")
PREFIX: Final = "Worker: "


def findings_in(text: str) -> list[Finding]:
    """Return the findings in a report; none if it is none."""
    start = text.find("{")
    try:
        found = json.loads(text[start:]) if start >= 0 else None
    except ValueError:
        found = None
    if isinstance(found, dict) and isinstance(found.get("findings"), list):
        return [_of_entry(entry) for entry in found["findings"] if isinstance(entry, dict)]
    return list(_of_table(text))


def _of_entry(entry: dict[str, object]) -> Finding:
    status = _status(entry.get("status"))
    if status is Status.FAIL and not entry.get("required"):
        status = Status.WARN  # runs go on without it
    name = plain(entry.get("name"))
    return Finding(f"{PREFIX}{name}", status, str(entry.get("finding", "")), str(entry.get("fix", "")))


def _status(word: object) -> Status:
    """Return the status of that name; a word that another version's worker says is something to look at."""
    try:
        return Status(str(word))
    except ValueError:
        return Status.WARN


def _of_table(text: str) -> Iterator[Finding]:
    rows: list[list[str]] = []
    for line in text.splitlines():
        if row := ROW.match(line):
            rows.append([row[1], row[2], row[3], ""])
        elif rows and (fix := FIX.match(line)):
            rows[-1][3] = fix[1]
        elif rows and line.startswith("    ") and line.strip():
            rows[-1][3 if rows[-1][3] else 2] += f" {line.strip()}"
    for status, name, said, fix_line in rows:
        yield Finding(f"{PREFIX}{name}", Status(status), said, fix_line)
