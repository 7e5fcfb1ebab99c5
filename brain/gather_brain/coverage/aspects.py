"""What a department should cover: aspects read from its description, and built-in lists behind them; pure."""

import re
from dataclasses import dataclass
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
from gather_brain.words import content_words, stem

ASPECTS_MAX: Final = 24
ASPECTS_ENOUGH: Final = 5
"""The built-in list fills up descriptions that name fewer aspects; a department's own words go first."""

FACET_END: Final = re.compile(r",\s*|\s+and\s+")
GLOSSES_JOINED_MAX: Final = 3


VITAL: Final = 1.0
OKAY: Final = 0.5
"""Weights in the score: what the description names against what a built-in list adds to it."""
HINTS_MAX: Final = 3


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

    @property
    def facets(self) -> tuple[str, ...]:
        """What is embedded for it: the name alone, with what is said of it, and each part of that."""
        name = self.name.lower()
        told = [text for text in (self.gloss, *self.hints) if text]
        parts = [part for text in told for part in FACET_END.split(text) if part]
        return tuple(dict.fromkeys([name, *(f"{name}: {text}" for text in told), *parts]))


def aspects_of(department: str, description: str) -> tuple[Aspect, ...]:
    """Return the department's aspects: those of the description, then built-in ones until enough.

    Where the description names none, the whole built-in list stands, its first ones as vital as if named.
    """
    known = _known_as(department)
    found: dict[frozenset[str], Aspect] = {}
    for named in named_in(description):
        _add(found, named.name, named.gloss, known, VITAL)
    told = len(found)
    for name in DEPARTMENTS.get(known, ()):
        said_already = any(aspect_key(name) & key for key in found)
        if not told or (len(found) < ASPECTS_ENOUGH and not said_already):
            _add(found, name, "", known, OKAY if told or len(found) >= ASPECTS_ENOUGH else VITAL)
    if not found:
        _add(found, _words_of(department), "", known, VITAL)
    return tuple(found.values())[:ASPECTS_MAX]


def profile_of(department: str) -> str:
    """Return a text that stands for a department of which nothing but the slug is known."""
    names = DEPARTMENTS.get(_known_as(department), ())
    return ", ".join([_words_of(department), *(name.lower() for name in names)])


def _add(found: dict[frozenset[str], Aspect], name: str, gloss: str, department: str, weight: float) -> None:
    key = aspect_key(name) or frozenset([name.lower()])
    if key not in found:
        known = gloss or _gloss_of(key, department)
        found[key] = Aspect(_titled(name), known, _hints_of(name), weight)


def _hints_of(name: str) -> tuple[str, ...]:
    stems = [stem(word) for word in content_words(name.lower().replace("colour", "color"))]
    return tuple(TRADE_WORDS[word] for word in stems if word in TRADE_WORDS)[:HINTS_MAX]


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


def _known_as(department: str) -> str:
    """Return the built-in list's name for a slug: "story-department" and "screenplay" are "story"."""
    slug = re.sub(r"[\W_]+", "-", department.lower()).strip("-").removesuffix("-department")
    if slug in DEPARTMENTS:
        return slug
    names = [*DEPARTMENTS, *ALIASES]
    # The longest first, so that "sound-music" goes by its first word only where lengths are equal.
    inside = [name for name in names if f"-{name}-" in f"-{slug}-"]
    found = max(inside, key=lambda name: (len(name), -names.index(name)), default=slug)
    return ALIASES.get(found, found)


def _words_of(department: str) -> str:
    return department.replace("-", " ").replace("_", " ")


def _titled(name: str) -> str:
    return " ".join(word if word.isupper() else word[:1].upper() + word[1:] for word in name.split())
