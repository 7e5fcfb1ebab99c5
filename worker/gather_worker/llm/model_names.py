"""Whether an endpoint has the model that a setting names; pure.

Lists of models are no proof of absence: Azure lists no deployments, Anthropic no aliases, llama.cpp and LM
Studio answer to any name. So a name that is not listed is asked for once.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

NEAREST: Final = 3
LIKENESS_MIN: Final = 0.5
PREFIXES: Final = ("models/",)
"""Google's list has names with it, and takes them without."""
LATEST: Final = ":latest"
"""Ollama's list has names with it, and takes them without."""
PROBE: Final = "1"
PROBE_TOKENS: Final = 16
"""The least that OpenAI takes."""


@dataclass(frozen=True, slots=True)
class MissingModel:
    """A model that the endpoint does not list and refuses."""

    name: str
    nearest: tuple[str, ...]

    def __str__(self) -> str:
        """Return what is wrong and which names are near."""
        near = f"; near are {', '.join(self.nearest)}" if self.nearest else ""
        return f"the endpoint has no model {self.name}{near}"


def models_of(body: Any) -> dict[str, Mapping[str, Any]] | None:
    """Return the models of a list by name, None where it is none."""
    data = body.get("data") if isinstance(body, Mapping) else None
    if not isinstance(data, list):
        return None
    entries = (entry for entry in data if isinstance(entry, Mapping))
    return {entry["id"]: entry for entry in entries if isinstance(entry.get("id"), str)}


def is_listed(model: str, listed: Iterable[str]) -> bool:
    """Return whether a list has the model, also where it is written otherwise there.

    OpenRouter takes variants behind a colon (vendor/model:nitro), and names of its own routers.
    """
    known = frozenset(listed)
    forms = {model, f"{model}{LATEST}", *(f"{prefix}{model}" for prefix in PREFIXES)}
    return not forms.isdisjoint(known) or model.rpartition(":")[0] in known


def nearest(model: str, listed: Iterable[str]) -> tuple[str, ...]:
    """Return the names that are most like it, the nearest first; the first of the list if none is."""
    names = sorted(listed)
    by_small = {name.lower(): name for name in names}
    found = difflib.get_close_matches(model.lower(), by_small, NEAREST, LIKENESS_MIN)
    return tuple(by_small[name] for name in found) or tuple(names[:NEAREST])


def probe(model: str) -> dict[str, Any]:
    """Return the smallest request by which an endpoint shows whether it has a model."""
    return {"model": model, "messages": [{"role": "user", "content": PROBE}], "max_tokens": PROBE_TOKENS}
