"""What helps against each reason that a GatherRun can show; a line for each stands in `runbook.json`."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, cast

NOTHING_NEEDED: Final = "Nothing is needed"
"""So begins the line of a reason that nobody has to do anything about."""

Lines = Mapping[str, Mapping[str, str]]


@cache
def runbook() -> Lines:
    """Return the lines, by the name of the enum that holds the reason and by the reason."""
    text = Path(__file__).with_suffix(".json").read_text("utf-8")
    return cast("Lines", json.loads(text))


def what_helps(reason: str, *enums: str) -> str:
    """Return the line of a reason out of the first of those enums, by name, that has it; empty: none has."""
    found = (runbook()[enum].get(reason) for enum in enums)
    return next(filter(None, found), "")


def what_to_do(reason: str, *enums: str) -> str:
    """Return the same, empty where nothing is needed."""
    line = what_helps(reason, *enums)
    return "" if line.startswith(NOTHING_NEEDED) else line
