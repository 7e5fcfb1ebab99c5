"""Variables that begin as ours do and that no room knows: most are misspelt, and would pass without a word.

`known_variables.txt` lists those that any room knows. A process has those of other rooms too, and what
Kubernetes sets for each Service: `GATHER_BRAIN_SERVICE_HOST`, `GATHER_BRAIN_PORT_8000_TCP_ADDR`.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

PREFIX: Final = "GATHER_"
SAID_MAX: Final = 10
NAME_MAX: Final = 100
LIKENESS_MIN: Final = 0.7
"""Of the names without their prefix, by difflib; GATHER_LLM_TIMEOUT for GATHER_LLM_TIMEOUT_S has 0.92."""
NEAR_ONE: Final = " is one"
"""Ends a sentence that names the nearest known variable."""
_OF_SERVICE: Final = re.compile(
    r"(?:_SERVICE_HOST|_SERVICE_PORT(?:_[A-Z0-9_]+)?|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$"
)
"""Source: Kubernetes, "Service", environment variables."""
_LINK: Final = re.compile(r"(?:tcp|udp|sctp)://")
"""So begins the value of a Service's `..._PORT`."""


@cache
def known_variables() -> frozenset[str]:
    """Return all names, those without our prefix too, such as REDIS_URL."""
    lines = Path(__file__).with_suffix(".txt").read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def unknown_variables(variables: Mapping[str, str], files: Iterable[str] = ()) -> list[str]:
    """Return a sentence for each variable, and each file of a secrets folder, that no room knows.

    Each names the nearest known one. Capitals do not count, and no value is shown.
    """
    of_services = {name for name, value in variables.items() if _is_of_service(name.upper(), value)}
    ours = sorted(name for name in {*variables, *files} - of_services if name.upper().startswith(PREFIX))
    said = [_said(name) for name in ours if name.upper() not in known_variables()]
    more = len(said) - SAID_MAX
    return [*said[:SAID_MAX], *([f"{more} more variables are no settings of Gather"] if more > 0 else [])]


def _is_of_service(name: str, value: str) -> bool:
    return bool(_OF_SERVICE.search(name)) or (name.endswith("_PORT") and bool(_LINK.match(value)))


def _said(name: str) -> str:
    shown = "".join(letter for letter in name[:NAME_MAX] if letter.isprintable())
    near = _nearest(name.upper())
    return f"{shown} is no setting of Gather and changes nothing{f'; {near}{NEAR_ONE}' if near else ''}"


def _nearest(name: str) -> str:
    import difflib  # noqa: PLC0415 - few processes need it

    by_rest = {known.removeprefix(PREFIX): known for known in known_variables()}
    found = difflib.get_close_matches(name.removeprefix(PREFIX), by_rest, 1, LIKENESS_MIN)
    return by_rest[found[0]] if found else ""
