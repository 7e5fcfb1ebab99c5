"""The sentences that the demo model writes from, read from the file of its language."""

from functools import cache
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, Field

from gather_demo.languages import Language, file_in

MATERIAL: Final = Path(__file__).parent / "material"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Aspect(_Frozen):
    """Decisions on an aspect and ways to carry them out; any goes with any."""

    what: tuple[str, ...] = Field(min_length=1)
    how: tuple[str, ...] = Field(min_length=1)


class Department(_Frozen):
    """What can be written for one department."""

    matches: tuple[str, ...]
    aspects: dict[str, Aspect]
    next: tuple[str, ...] = Field(min_length=1)


class AnyDepartment(_Frozen):
    """What can be written for a department that the material does not know; `{aspect}` is filled in."""

    what: tuple[str, ...] = Field(min_length=1)
    how: tuple[str, ...] = Field(min_length=1)
    next: tuple[str, ...] = Field(min_length=1)


class Material(_Frozen):
    """Everything that the demo model has to say; `{title}`, `{aspect}` and others are filled in."""

    film_default: str
    """What a film is called whose title the prompt does not say."""
    name_default: str
    """Who is spoken of where the prompt names nobody."""
    name_pattern: str
    """How a person's name stands in a text."""
    places: tuple[str, ...]
    hours: tuple[str, ...]
    links: tuple[str, ...] = Field(min_length=1)
    """Sentences that tie a note to the rest."""
    context: str
    repeat_context: str
    rephrased: str
    """What stands before a note that says again what another says."""
    synonyms: dict[str, str]
    """Words that such a note exchanges."""
    departments: dict[str, Department]
    any: AnyDepartment

    def aspect(self, department: str | None, aspect: str) -> Aspect:
        """Return the sentences for an aspect, the general ones where there are no others."""
        known = self.departments[department].aspects.get(aspect) if department else None
        return known or Aspect(what=self.any.what, how=self.any.how)

    def craft_words(self) -> str:
        """Return the words of all departments and aspects, which are nobody's name."""
        parts = ([slug.replace("-", " "), *d.matches, *d.aspects] for slug, d in self.departments.items())
        return " ".join(word for part in parts for word in part)

    def next_steps(self, department: str | None) -> tuple[str, ...]:
        """Return sentences that say what to do next."""
        return self.departments[department].next if department else self.any.next


@cache
def read_material(language: Language = Language.EN) -> Material:
    """Return the material in a language; raises ValidationError if it is not what this module says."""
    text = file_in(language, MATERIAL).read_text(encoding="utf-8")
    return Material.model_validate(yaml.safe_load(text))
