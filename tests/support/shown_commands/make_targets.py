"""What the Makefile knows: its targets, the variables that each reads, and what gets `ARGS`."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from dev.paths import ROOT

TARGET: Final = re.compile(r"^([a-z][a-z0-9-]*):(?!=)", re.MULTILINE)
DEFINED: Final = re.compile(r"^([A-Z_]+) *[:?]?= *(.*(?:\\\n.*)*)", re.MULTILINE)
READ: Final = re.compile(r"\$\(([A-Z_]+)")
GIVEN_ARGS: Final = re.compile(r"\$\(PY\) -m ([\w.]+(?: [a-z]+)*) ?[^\n]*\$\(ARGS\)")
ASSIGNED: Final = re.compile(r"([A-Z_]+)=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Target:
    """A target: the variables that its recipe reads, and the module (with a command) that gets its `ARGS`."""

    variables: frozenset[str]
    called: str


@cache
def targets() -> dict[str, Target]:
    """Return the targets of the Makefile by their names."""
    text = (ROOT / "Makefile").read_text("utf-8")
    defined = dict(DEFINED.findall(text))
    found = {}
    for part in re.split(r"^\.PHONY: .*\n", text, flags=re.MULTILINE)[1:]:
        if name := TARGET.search(part):
            called = GIVEN_ARGS.search(part)
            found[name[1]] = Target(frozenset(_read(part, defined)), called[1] if called else "")
    return found


def _read(text: str, defined: dict[str, str]) -> set[str]:
    names = set(READ.findall(text))
    inner = {name for known in names & defined.keys() for name in _read(defined[known], defined)}
    return names | inner


def called_by(words: Sequence[str]) -> list[list[str]]:
    """Return the `python -m` commands, without these words, that a `make` with these words gives `ARGS`.

    Raises:
        ValueError: a target is unknown, or reads a variable that is given nowhere.
    """
    assigned = {found[1]: found[2] for word in words if (found := ASSIGNED.fullmatch(word))}
    named = [word for word in words if not ASSIGNED.fullmatch(word)]
    if unknown := [name for name in named if name not in targets()]:
        raise ValueError(f"no target of the Makefile: {unknown}")
    read = {variable for name in named for variable in targets()[name].variables}
    if unread := sorted(assigned.keys() - read):
        raise ValueError(f"{named} read no {unread}")
    called = [targets()[name].called.split() for name in named if "ARGS" in assigned]
    return [[*command, *shlex.split(assigned["ARGS"])] for command in called if command]
