"""What a department should cover: aspects read from its description, and built-in lists behind them; pure."""

import re
from dataclasses import dataclass
from typing import Final

from gather_brain.descriptions import named_in
from gather_brain.film_departments import ALIASES, DEPARTMENTS, GLOSSES, GLOSSES_OF, aspect_key

ASPECTS_MAX: Final = 24
ASPECTS_ENOUGH: Final = 5
"""The built-in list fills up descriptions that name fewer aspects; a department's own words go first."""

FACET_END: Final = re.compile(r",\s*|\s+and\s+")
GLOSSES_JOINED_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class Aspect:
    """One thing that a department should say something about."""

    name: str
    """As people read it: "Plot Structure"."""
    gloss: str
    """What belongs to it, in a few words; empty where only the description names the aspect."""

    @property
    def facets(self) -> tuple[str, ...]:
        """What is embedded for it: the name alone, name and gloss, and each thing that belongs to it."""
        if not self.gloss:
            return (self.name.lower(),)
        parts = [part for part in FACET_END.split(self.gloss) if part]
        return (self.name.lower(), f"{self.name.lower()}: {self.gloss}", *parts)


def aspects_of(department: str, description: str) -> tuple[Aspect, ...]:
    """Return the department's aspects: from the description first, then built-in ones until enough."""
    known = _known_as(department)
    found: dict[frozenset[str], Aspect] = {}
    for named in named_in(description):
        _add(found, named.name, named.gloss, known)
    for name in DEPARTMENTS.get(known, ()):
        said_already = any(aspect_key(name) & key for key in found)
        if len(found) < ASPECTS_ENOUGH and not said_already:
            _add(found, name, "", known)
    if not found:
        _add(found, _words_of(department), "", known)
    return tuple(found.values())[:ASPECTS_MAX]


def profile_of(department: str) -> str:
    """Return a text that stands for a department of which nothing but the slug is known."""
    names = DEPARTMENTS.get(_known_as(department), ())
    return ", ".join([_words_of(department), *(name.lower() for name in names)])


def _add(found: dict[frozenset[str], Aspect], name: str, gloss: str, department: str) -> None:
    key = aspect_key(name) or frozenset([name.lower()])
    found.setdefault(key, Aspect(_titled(name), gloss or _gloss_of(key, department)))


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
