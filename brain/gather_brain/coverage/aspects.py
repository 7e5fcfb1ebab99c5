"""What a department should cover: aspects read from its description, and built-in lists behind them; pure."""

import re
from dataclasses import dataclass, replace
from typing import Final

from gather_brain.coverage.descriptions import named_in
from gather_brain.coverage.film_departments import (
    ALIASES,
    DEPARTMENTS,
    GLOSSES,
    GLOSSES_OF,
    TRADE_WORDS,
    aspect_key,
)
from gather_brain.coverage.grammars import described_in
from gather_brain.words import content_words, spoken, stem

ASPECTS_MAX: Final = 24
NO_MATTER: Final = frozenset(
    ("", "main", "first", "second", "a", "b", "1", "2", "unit", "team", "department", "dept", "and")
)
"""Words of a slug that say nothing of what the department does."""
ASPECTS_ENOUGH: Final = 5
"""The built-in list fills up descriptions that name fewer aspects; a department's own words go first."""

FACET_END: Final = re.compile(r",\s*|\s+and\s+")
GLOSSES_JOINED_MAX: Final = 3
HINTS_MAX: Final = 3

VITAL: Final = 1.0
OKAY: Final = 0.5
"""Weights in the score: what the description names against what a built-in list adds to it."""


@dataclass(frozen=True, slots=True)
class Aspect:
    """One thing that a department should say something about."""

    name: str
    """As people read it: "Plot Structure"."""
    gloss: str
    """What belongs to it, in a few words; empty where only the description names the aspect."""
    hints: tuple[str, ...] = ()
    """What is usually said where the name's words are treated, from the trade's vocabulary."""
    weight: float = VITAL
    has_capitals: bool = False
    """Its nouns have capitals, as in German; some models see that."""
    written: str = ""
    """Its name as the description has it, with the capitals of people and places; empty if a list has it."""

    @property
    def cased(self) -> str:
        """Its name, in which capitals are those of people and places alone."""
        return self.name.lower() if self.has_capitals else self.written or self.name.lower()

    @property
    def facets(self) -> tuple[str, ...]:
        """What is embedded for it: the name alone, with what is said of it, and each part of that."""
        # What is German alone was fitted with names of which each word has a capital (`language_centres.py`).
        name = _capitals(self.name) if self.has_capitals else self.name.lower()
        glosses = [text for text in (self.gloss, *self.hints) if text]
        parts = [part for text in glosses for part in FACET_END.split(text) if part]
        return tuple(dict.fromkeys([name, *(f"{name}: {text}" for text in glosses), *parts]))


def aspects_of(department: str, description: str) -> tuple[Aspect, ...]:
    """Return the department's aspects: those of the description, then built-in ones until enough.

    Where the description names none, the whole built-in list stands, its first ones as vital as if named. All
    are returned; `ASPECTS_MAX` are measured.
    """
    known = _known_as(department, is_described=bool(description.strip()))
    language = described_in(description)
    found: dict[frozenset[str], Aspect] = {}
    for named in named_in(description):
        _add(found, named.name, named.gloss, known, weight=VITAL, language=language, written=named.name)
    are_named = bool(found)
    for name in DEPARTMENTS.get(known, ()):
        is_covered = any(aspect_key(name) & key for key in found)
        if not are_named or (len(found) < ASPECTS_ENOUGH and not is_covered):
            weight = OKAY if are_named or len(found) >= ASPECTS_ENOUGH else VITAL
            _add(found, name, "", known, weight=weight)
    if not found:
        _add(found, spoken(department), "", known, weight=VITAL)
    return tuple(replace(aspect, has_capitals=language == "de") for aspect in found.values())


def typical_text(department: str) -> str:
    """Return a text that stands for a department of which only the slug is known."""
    names = DEPARTMENTS.get(_known_as(department), ())
    return ", ".join([spoken(department), *(name.lower() for name in names)])


def _add(
    found: dict[frozenset[str], Aspect],
    name: str,
    gloss: str,
    department: str,
    *,
    weight: float,
    language: str = "en",
    written: str = "",
) -> None:
    # English endings are cut off English words only.
    key = (aspect_key(name) if name.isascii() else None) or frozenset([name.lower()])
    if key not in found:
        title = _capitals(name) if language == "en" else name[:1].upper() + name[1:]
        stems = [stem(word) for word in content_words(name.lower().replace("colour", "color"))]
        # In a trade that no list knows a word may mean something else: a diver's suit is no costume.
        known = [TRADE_WORDS[word] for word in stems if word in TRADE_WORDS and department in DEPARTMENTS]
        hints = tuple(known[:HINTS_MAX])
        found[key] = Aspect(title, gloss or _gloss_of(key, department), hints, weight, written=written)


def _capitals(name: str) -> str:
    """Return a name as English titles are written; other languages write theirs as sentences."""
    return " ".join(word if word.isupper() else word[:1].upper() + word[1:] for word in name.split())


def _gloss_of(key: frozenset[str], department: str) -> str:
    """Return what the built-in lists say of an aspect: the department's own first, then any of that name.

    "Foley and effects" holds the words of two of sound's aspects and gets both glosses. Of other departments
    only an aspect of the same name or of two words at least will do: "change" alone means many things.
    """
    own = {aspect_key(name): gloss for name, gloss in GLOSSES_OF.get(department, {}).items()}
    inside = sorted((known for known in own if known <= key), key=lambda known: (-len(known), sorted(known)))
    if inside:
        return ", ".join(own[known] for known in inside[:GLOSSES_JOINED_MAX])
    if key in GLOSSES:
        return GLOSSES[key]
    others = [known for known in GLOSSES if known < key and len(known) > 1]
    return GLOSSES[max(others, key=lambda known: (len(known), sorted(known)))] if others else ""


def _known_as(department: str, *, is_described: bool = False) -> str:
    """Return the built-in list's name for a slug: "story-department" and "screenplay" are "story".

    Every word of it must be a department's or say nothing: "title-design" is no production design. Where
    there is no description, a department at its end will do ("underwater-cinematography").
    """
    slug = "-".join(word for word in re.split(r"[\W_]+", department.lower()) if word not in NO_MATTER)
    names = sorted([*DEPARTMENTS, *ALIASES], key=len, reverse=True)
    left, found = f"-{slug}-", []
    for name in names:
        if f"-{name}-" in left:
            left = left.replace(f"-{name}-", "-")
            found.append(name)
    if found and not left.strip("-"):
        return ALIASES.get(found[0], found[0])
    last = next((name for name in names if name in DEPARTMENTS and slug.endswith(f"-{name}")), slug)
    return slug if is_described else last
