"""Write docs/reasons.md and the run page's meanings.json: every reason of a GatherRun, from the enums.

What helps stands in `runbook.json` of the contracts, a line for each. With `--check` nothing is written; the
exit code says whether the file is what the contracts make it.
"""

import ast
import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Final

from dev.generate.files import write_or_check
from gather_contracts.reasons import DepartmentReason, EndReason, Reason, WaitReason
from gather_contracts.result import StopReason
from gather_contracts.runbook import runbook
from gather_operator.decisions.waiting import NEVER_RIGHT, NEVER_RIGHT_WORDS

PAGE: Final = Path("docs") / "reasons.md"
DATA: Final = Path("bridge") / "gather_bridge" / "page" / "meanings.json"
RUNBOOK: Final = "runbook.json"
HEADER: Final = """\
<!-- Generated from gather_contracts by `make reasons`; edit those. -->

# Reasons

`kubectl describe gatherrun NAME` shows conditions, departments and Events; `kubectl get gr -o wide` shows the
one reason that says most. A message has the words of Kubernetes, of the CMS or of the worker, at most 256
characters. What a department waits for is said after about ten seconds, and goes away when it goes on. Each
new reason is one Event.
"""
FAILS: Final = "Fails the department after `GATHER_START_PATIENCE_S`"


@dataclass(frozen=True, slots=True)
class Section:
    """One enum, and where its words are shown."""

    reasons: type[StrEnum]
    title: str
    text: str


SECTIONS: Final = (
    Section(
        Reason,
        "Conditions",
        "Of Accepted, Progressing, Succeeded, BrainAvailable and WebhookDelivered. While each department at\n"
        "work waits, Progressing is False, and its reason is that of the first that waits, out of the next\n"
        "table.",
    ),
    Section(WaitReason, "What a department waits for", "While it is Running."),
    Section(StopReason, "How a worker ended", "In the worker's own words."),
    Section(EndReason, "How Kubernetes ended it", "Where the worker could say nothing."),
    Section(DepartmentReason, "What the operator decided", "Of departments that did not end by themselves."),
)


def meanings(reasons: type[StrEnum]) -> dict[str, str]:
    """Return what the docstring of each member says; raises ValueError if one has none."""
    parsed = ast.parse(dedent(inspect.getsource(reasons)))
    lines = [line for node in parsed.body if isinstance(node, ast.ClassDef) for line in node.body]
    found: dict[str, str] = {}
    for line, following in pairwise([*lines, ast.Pass()]):
        match line, following:
            case ast.Assign([ast.Name(name)]), ast.Expr(ast.Constant(text)):
                found[reasons[name].value] = " ".join(str(text).split())
            case ast.Assign([ast.Name(name)]), _:
                raise ValueError(f"{reasons.__name__}.{name} has no docstring")
            case _:
                pass
    return found


def page() -> str:
    """Return the page; raises ValueError if the runbook lacks a reason, or has one that there is not."""
    lines = runbook()
    parts = [HEADER]
    for section in SECTIONS:
        helps, known = lines.get(section.reasons.__name__, {}), meanings(section.reasons)
        if differing := sorted(set(helps) ^ set(known)):
            raise ValueError(f"{RUNBOOK}, {section.reasons.__name__}: {', '.join(differing)}")
        rows = [
            f"| {word} | {_cell(known[word])} | {_cell(helps[word] + _end(section, word))} |"
            for word in known
        ]
        table = "\n".join(["| reason | meaning | what helps |", "| --- | --- | --- |", *rows])
        parts.append(f"## {section.title}\n\n{section.text}\n\n{table}\n")
    return "\n".join(parts)


def data() -> str:
    """Return what each word means as JSON, by enum and word."""
    found = {section.reasons.__name__: meanings(section.reasons) for section in SECTIONS}
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _end(section: Section, word: str) -> str:
    """Return what is said of a wait that never comes right by itself."""
    if section.reasons is not WaitReason:
        return ""
    if word in NEVER_RIGHT:
        return f" {FAILS}."
    words = NEVER_RIGHT_WORDS.get(word)
    return f" {FAILS} if the message has one of: {', '.join(words)}." if words else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def files() -> Mapping[Path, str]:
    """Return the generated files' paths below the repository, and their texts."""
    return {PAGE: page(), DATA: data()}


def main() -> None:
    """Write the file, or with `--check` fail if it differs."""
    write_or_check(files, "the contracts say", "reasons")


if __name__ == "__main__":
    main()
