"""The words that models read: files with sections, each file with its version.

A file begins with `version:` between two lines of dashes and has sections, each under its name: `system`,
`user` with the place of the data, the requests of which some end the prompt, `form` with an example of the
answer and what each of its fields is, which the answer's schema says too, and what is asked after an answer
that cannot be used. What can be wrong with an answer stands in `problems`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

GENERATE: Final = "generate"
JUDGE: Final = "judge"
DUPLICATES: Final = "duplicates"
PROBLEMS: Final = "problems"
CHECK: Final = "check"
_FOLDER: Final = "prompts"
_FILE: Final = re.compile(r"---\nversion: (\d+)\n---\n(.*)", re.DOTALL)
_SECTION: Final = re.compile(r"^# (\w+)$", re.MULTILINE)
_LINE: Final = re.compile(r"^(?:- )?(\w+): (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A file's version, such as "generate.v3", and its sections by name."""

    version: str
    sections: Mapping[str, str]


@cache
def prompt_file(name: str) -> PromptFile:
    """Return the file of that name; raises ValueError for one without a version."""
    text = files(__package__).joinpath(_FOLDER, f"{name}.md").read_text(encoding="utf-8")
    found = _FILE.fullmatch(text)
    if not found:
        raise ValueError(f"the prompt {name} has no version")
    _, *parts = _SECTION.split(found[2])
    sections = zip(parts[::2], map(str.strip, parts[1::2]), strict=True)
    return PromptFile(f"{name}.v{found[1]}", dict(sections))


def lines(name: str, section: str) -> dict[str, str]:
    """Return a section's lines of the form `name: words`, a dash before them or not."""
    return dict(_LINE.findall(prompt_file(name).sections[section]))


def words(name: str, section: str, **places: object) -> str:
    """Return a section's words, with `places` in their places."""
    return filled(prompt_file(name).sections[section], places)


def problem_words(kind: str, **places: object) -> str:
    """Return the words for one kind of what can be wrong with an answer."""
    return filled((lines(PROBLEMS, "whole") | lines(PROBLEMS, "fields"))[kind], places)


def filled(text: str, places: Mapping[str, object]) -> str:
    """Return the text with values in their places."""
    for place, value in places.items():
        text = text.replace(f"{{{{{place}}}}}", str(value))
    return text
