"""Prompts as files with a version in their name; all text that is not ours goes in as fenced data.

Data is JSON between `<data>` and `</data>`, with `<` and `>` escaped inside: no text can close the fence or
open another, and the rules above it say that nothing inside is an instruction.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

GENERATE: Final = "generate.v1"
JUDGE: Final = "judge.v2"
DUPLICATES: Final = "duplicates.v1"
_SEPARATOR: Final = "\n---\n"
_PLACE: Final = "{{data}}"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is sent; `version` names the file it is made from."""

    version: str
    system: str
    user: str

    @property
    def name(self) -> str:
        """Return the prompt's name without the version."""
        return self.version.split(".", 1)[0]

    def messages(self) -> list[dict[str, str]]:
        """Return the chat's first two messages."""
        return [{"role": "system", "content": self.system}, {"role": "user", "content": self.user}]


@cache
def _template(version: str) -> tuple[str, str]:
    text = files(__package__).joinpath(f"{version}.md").read_text(encoding="utf-8")
    system, user = text.split(_SEPARATOR)
    return system.strip(), user.strip()


def fence(data: Mapping[str, Any] | str) -> str:
    """Return the data as JSON that cannot contain a tag, one value a line."""
    text = json.dumps(data, ensure_ascii=False, indent=1)
    return text.replace("<", "\\u003c").replace(">", "\\u003e")


def build_prompt(version: str, data: Mapping[str, Any], request: str = "") -> Prompt:
    """Return the prompt of a file with `data` in its place; `request` is a sentence of ours that ends it."""
    system, user = _template(version)
    return Prompt(version, system, f"{user.replace(_PLACE, fence(data))}\n\n{request}".strip())
