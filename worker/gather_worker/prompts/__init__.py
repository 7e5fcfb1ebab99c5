"""Prompts as files, each with its version; all text that is not ours goes in as fenced data.

A file begins with `version:` between two lines of dashes and has sections, each under its name: `system`,
`user` with the place of the data, the requests of which some end the prompt, `form` with an example of the
answer and what each of its fields is, which the answer's schema says too, and what is asked after an answer
that cannot be used. What can be wrong with an answer stands in `problems`.

Data is JSON between `<data>` and `</data>`. `<`, `>` and the brackets of words such as [INST] are escaped
inside, so that no text can close the fence or write a control word of a model's chat format. Escaping is
chosen over a random fence because equal questions then stay equal: the answer cache and the endpoints' prompt
caches know them again.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

GENERATE: Final = "generate"
JUDGE: Final = "judge"
DUPLICATES: Final = "duplicates"
PROBLEMS: Final = "problems"
CHECK: Final = "check"
_FILE: Final = re.compile(r"---\nversion: (\d+)\n---\n(.*)", re.DOTALL)
_SECTION: Final = re.compile(r"^# (\w+)$", re.MULTILINE)
_DATA: Final = "{{data}}"
_FORM: Final = "{{form}}"
_LINE: Final = re.compile(r"^(?:- )?(\w+): (.+)$", re.MULTILINE)
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

    @property
    def name(self) -> str:
        """Return the prompt's name without the version."""
        return self.version.split(".", 1)[0]

    def messages(self) -> list[dict[str, str]]:
        """Return the chat's first two messages."""
        return [{"role": "system", "content": self.system}, {"role": "user", "content": self.user}]


@dataclass(frozen=True, slots=True)
class _Template:
    version: str
    sections: Mapping[str, str]


@cache
def _template(name: str) -> _Template:
    text = files(__package__).joinpath(f"{name}.md").read_text(encoding="utf-8")
    found = _FILE.fullmatch(text)
    if not found:
        raise ValueError(f"the prompt {name} has no version")
    _, *parts = _SECTION.split(found[2])
    sections = zip(parts[::2], map(str.strip, parts[1::2]), strict=True)
    return _Template(f"{name}.v{found[1]}", dict(sections))


def prompt_version(name: str) -> str:
    """Return the name of a prompt with its version, such as "generate.v3"."""
    return _template(name).version


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
    template = _template(name)
    ending = "\n\n".join(template.sections[section] for section in request.split())
    user = template.sections["user"].replace(_DATA, fence(data))
    system = template.sections["system"].replace(_FORM, template.sections["form"])
    return Prompt(template.version, system, f"{user}\n\n{_filled(ending, numbers)}".strip(), tuple(based_on))


def lines(name: str, section: str) -> dict[str, str]:
    """Return a section's lines of the form `name: words`, a dash before them or not."""
    return dict(_LINE.findall(_template(name).sections[section]))


def words(name: str, section: str, **places: object) -> str:
    """Return a section's words, with `places` in their places."""
    return _filled(_template(name).sections[section], places)


def problem_words(kind: str, **places: object) -> str:
    """Return the words for one kind of what can be wrong with an answer."""
    return _filled((lines(PROBLEMS, "whole") | lines(PROBLEMS, "fields"))[kind], places)


def _filled(text: str, places: Mapping[str, object]) -> str:
    for place, value in places.items():
        text = text.replace(f"{{{{{place}}}}}", str(value))
    return text
