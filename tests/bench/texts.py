"""Film notes of about 110 tokens, as many different ones as a benchmark wants, from the demo's sentences.

A note is two halves of about 55 tokens. Both are written from one department's sentences with names, places,
objects and numbers of their own: notes of one film are as alike as real ones are, and no two are equal.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict

from gather_demo.llm.material import Aspect, Material, read_material
from gather_demo.llm.text_measures import words
from gather_demo.llm.writer import rephrase

HALF_WORDS: Final = 38
"""A half ends with the sentence that reaches so many words: notes are then 110 tokens long on average."""
ANY_DEPARTMENTS: Final = {
    "costume": ("silhouettes", "fabric", "ageing of clothes", "costume changes", "period detail"),
    "makeup": ("faces of the leads", "wounds and scars", "hair and wigs", "continuity of looks"),
    "marketing": ("poster design", "trailer cutting", "festival strategy", "press material"),
}
"""Departments beyond those that the demo has sentences of their own for."""
FILMS_FILE: Final = Path(__file__).parent / "films.yaml"
_SLOT: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Film:
    """What the notes of one project have in common."""

    title: str
    names: Sequence[str]
    things: Sequence[str]


class FilmMaterial(BaseModel):
    """What films are made of: `films.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    titles: tuple[str, ...]
    names: tuple[str, ...]
    things: tuple[str, ...]
    details: tuple[str, ...]


class NoteWriter:
    """Writes notes; the same seed writes the same ones in the same order, and none of them twice."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._material: Material = read_material()
        self._films = FilmMaterial.model_validate(yaml.safe_load(FILMS_FILE.read_text(encoding="utf-8")))
        self._written: set[str] = set()
        self.departments: tuple[str, ...] = (*self._material.departments, *ANY_DEPARTMENTS)

    def film(self) -> Film:
        """Return a film of its own names and objects."""
        rng, films = self._rng, self._films
        return Film(rng.choice(films.titles), rng.sample(films.names, 12), rng.sample(films.things, 20))

    def half(self, department: str, film: Film) -> str:
        """Return half a note, about 55 tokens, that was not written before."""
        while True:
            text = self._half(department, film)
            if text not in self._written:
                self._written.add(text)
                return text

    def note(self, department: str, film: Film) -> str:
        """Return a note of about 110 tokens."""
        return f"{self.half(department, film)} {self.half(department, film)}"

    def department(self) -> str:
        """Return one of the departments."""
        return self._rng.choice(self.departments)

    def rephrased(self, text: str) -> str:
        """Return a near duplicate of a note."""
        return rephrase(text, self._material, self._rng)

    def _half(self, department: str, film: Film) -> str:
        rng = self._rng
        aspect, sentences = self._aspect(department)
        pool = [
            *rng.sample(sentences.what, 1),
            *rng.sample(sentences.how, 1),
            *rng.sample(self._films.details, 3),
        ]
        rng.shuffle(pool)
        filled: list[str] = []
        for template in pool:
            filled.append(self._filled(template, film, aspect))
            if len(words(" ".join(filled))) >= HALF_WORDS:
                break
        return " ".join(filled)

    def _aspect(self, department: str) -> tuple[str, Aspect]:
        if department in ANY_DEPARTMENTS:
            name = self._rng.choice(ANY_DEPARTMENTS[department])
            return name, self._material.aspect(None, name)
        name = self._rng.choice(list(self._material.departments[department].aspects))
        return name, self._material.aspect(department, name)

    def _filled(self, template: str, film: Film, aspect: str) -> str:
        rng = self._rng
        name, other = rng.sample(film.names, 2)
        slots = {
            "title": film.title,
            "name": name,
            "other": other,
            "thing": rng.choice(film.things),
            "n": str(rng.randint(2, 6)),
            "m": str(rng.randint(3, 9)),
            "place": rng.choice(self._material.places),
            "hour": rng.choice(self._material.hours),
            "aspect": aspect,
        }
        filled = _SLOT.sub(lambda slot: slots[slot[1]], template)
        return filled[0].upper() + filled[1:]
