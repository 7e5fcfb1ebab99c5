"""The sentences that the demo model writes from, read from `material.yaml`."""

from functools import cache
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, Field

MATERIAL_FILE: Final = Path(__file__).parent / "material.yaml"


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
    """Everything that the demo model has to say."""

    places: tuple[str, ...]
    hours: tuple[str, ...]
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
def read_material(file: Path = MATERIAL_FILE) -> Material:
    """Return the material in a YAML file; raises ValidationError if it is not what this module says."""
    return Material.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
