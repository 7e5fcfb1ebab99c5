"""What a reason means and what helps, by where it is shown; `meanings.json` is made with docs/reasons.md."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from gather_contracts.runbook import what_to_do

RUN_ENUMS: Final = ("Reason", "StopReason", "EndReason", "DepartmentReason", "WaitReason")
WAITING_ENUMS: Final = ("WaitReason", "DepartmentReason", "StopReason", "EndReason")
ENDED_ENUMS: Final = ("StopReason", "EndReason", "DepartmentReason", "WaitReason")
SKIPPED_ENUMS: Final = ("DepartmentReason", "StopReason")
"""Some words are in several lists; the first that has it counts."""


@dataclass(frozen=True, slots=True)
class ReasonWords:
    """One reason, for people."""

    word: str
    meaning: str = ""
    """Without the condition that it belongs to."""
    helps: str = ""


def words_of(reason: str, enums: Iterable[str]) -> ReasonWords | None:
    """Return the reason explained, without words if it is Kubernetes' own; None for none."""
    if not reason:
        return None
    for enum in enums:
        if meaning := _meanings()[enum].get(reason):
            head, separator, tail = meaning.partition(": ")
            if separator and " " not in head:
                meaning = tail[:1].upper() + tail[1:]
            return ReasonWords(reason, meaning, what_to_do(reason, enum))
    return ReasonWords(reason)


@cache
def _meanings() -> dict[str, dict[str, str]]:
    text = files("gather_bridge.page").joinpath("meanings.json").read_text("utf-8")
    known: dict[str, dict[str, str]] = json.loads(text)
    return known
