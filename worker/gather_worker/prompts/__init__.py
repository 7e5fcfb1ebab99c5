"""Prompts of our own words, each with its file's version; all text that is not ours goes in as fenced data.

Data is JSON between `<data>` and `</data>`. `<`, `>` and the brackets of words such as [INST] are escaped
inside, so that no text can close the fence or write a control word of a model's chat format. Escaping is
chosen over a random fence because equal questions then stay equal: the answer cache and the endpoints' prompt
caches know them again.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gather_worker.prompt_files import filled, prompt_file

_DATA: Final = "{{data}}"
_FORM: Final = "{{form}}"
_CONTROL_WORD: Final = re.compile(r"\[(?=/?[A-Z_]+\])")
"""Of Mistral's and Llama's formats; in JSON it can only stand inside of a string."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is sent; `version` names the file it is made from and that file's version."""

    version: str
    system: str
    user: str
    based_on: tuple[str, ...] = ()
    """Ids of the notes that stand in it, as many as are kept (`BASED_ON_MAX`)."""
    quotable: tuple[str, ...] = ()
    """The texts in it that an answer must quote from."""

    @property
    def name(self) -> str:
        """Return the prompt's name without the version."""
        return self.version.split(".", 1)[0]

    def messages(self) -> list[dict[str, str]]:
        """Return the chat's first two messages."""
        return [{"role": "system", "content": self.system}, {"role": "user", "content": self.user}]


def prompt_version(name: str) -> str:
    """Return the name of a prompt with its version, such as "generate.v3"."""
    return prompt_file(name).version


def fence(data: Mapping[str, Any] | str) -> str:
    """Return the data as JSON that holds neither a tag nor a control word, one value a line."""
    text = json.dumps(data, ensure_ascii=False, indent=1)
    return _CONTROL_WORD.sub(r"\\u005b", text.replace("<", "\\u003c").replace(">", "\\u003e"))


def build_prompt(
    name: str, data: Mapping[str, Any], request: str = "", based_on: Iterable[str] = (), **numbers: int
) -> Prompt:
    """Return the prompt of a file with `data` in its place.

    `request` names the sections that end it, with spaces between, and `numbers` in their places; none if
    empty. `based_on` are the ids of the notes in the data.
    """
    file = prompt_file(name)
    ending = "\n\n".join(file.sections[section] for section in request.split())
    user = file.sections["user"].replace(_DATA, fence(data))
    system = file.sections["system"].replace(_FORM, file.sections["form"])
    return Prompt(file.version, system, f"{user}\n\n{filled(ending, numbers)}".strip(), tuple(based_on))
