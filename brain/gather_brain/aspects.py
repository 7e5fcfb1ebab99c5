"""What a department should cover: aspects read from its description, and built-in lists behind them; pure."""

import re
from dataclasses import dataclass
from typing import Final

from gather_brain.film_departments import DEPARTMENTS, GLOSSES, aspect_key

ASPECTS_MAX: Final = 24
ASPECTS_ENOUGH: Final = 5
"""The built-in list fills up descriptions that name fewer aspects; a department's own words go first."""
ASPECT_WORDS_MAX: Final = 7

LEADS: Final = tuple(
    re.compile(rf"^.*?\b(?:{verbs})\b[:\s]*", re.IGNORECASE | re.DOTALL)
    for verbs in (
        r"handles?|handling|covers?|covering|responsible for|in charge of|deals? with|looks after",
        r"owns|includes|works on|manages|defines|oversees|develops|focuses on|decides(?: on)?|creates",
    )
)
"""The verb before a list; the first group goes first, since the second has words that are also nouns."""
SEPARATOR: Final = re.compile(r"\s*[,;:•\n/]\s*|\s[-\u2013\u2014]\s")
FACET_END: Final = re.compile(r",\s*|\s+and\s+")
AND: Final = re.compile(r"\s+(?:and|as well as|plus|&)\s+", re.IGNORECASE)
LEADING_AND: Final = re.compile(r"^(?:and|as well as|plus|&)\s+", re.IGNORECASE)
SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|\n{2,}")
FILLER: Final = re.compile(
    r"^(?:the|a|an|all|any|its|their|overall|every|also|etc)\s+|\s+(?:etc|too)$", re.IGNORECASE
)


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
    found: dict[frozenset[str], Aspect] = {}
    for name in _names_in(description):
        _add(found, name)
    for name in DEPARTMENTS.get(_known_as(department), ()):
        if len(found) < ASPECTS_ENOUGH:
            _add(found, name)
    if not found:
        _add(found, department.replace("-", " ").replace("_", " "))
    return tuple(found.values())[:ASPECTS_MAX]


def profile_of(department: str) -> str:
    """Return a text that stands for a department of which nothing but the slug is known."""
    names = DEPARTMENTS.get(_known_as(department), ())
    return ", ".join([_words_of(department), *(name.lower() for name in names)])


def _add(found: dict[frozenset[str], Aspect], name: str) -> None:
    found.setdefault(
        aspect_key(name) or frozenset([name.lower()]), Aspect(_titled(name), _gloss_of(aspect_key(name)))
    )


def _gloss_of(key: frozenset[str]) -> str:
    """Return the gloss of the longest built-in aspect all of whose words the name holds."""
    inside = [known for known in GLOSSES if known <= key]
    return GLOSSES[max(inside, key=lambda known: (len(known), sorted(known)))] if inside else ""


def _names_in(description: str) -> list[str]:
    """Return the aspects that a description lists.

    A sentence counts from its verb on ("Story Department handles plot, pacing"); one without such a verb
    counts whole if it lists something, and is prose that names nothing otherwise.
    """
    names: list[str] = []
    for sentence in SENTENCE.split(description.strip()):
        after = (lead.sub("", sentence, count=1) for lead in LEADS)
        listed = next((rest for rest in after if rest != sentence), sentence)
        pieces = _pieces(listed)
        if listed != sentence or len(pieces) > 1:
            names += [piece for piece in pieces if piece and len(piece.split()) <= ASPECT_WORDS_MAX]
    return names


def _pieces(listed: str) -> list[str]:
    """Split a list; an "and" splits at its end ("a, b and c") and joins elsewhere ("a and b, c")."""
    pieces = SEPARATOR.split(listed)
    last = pieces[-1]
    ends = [last] if LEADING_AND.match(last) else AND.split(last)
    return [_trimmed(LEADING_AND.sub("", piece.strip())) for piece in [*pieces[:-1], *ends]]


def _trimmed(piece: str) -> str:
    return FILLER.sub("", piece.strip(" .!?\"'()[]*-")).strip()


def _known_as(department: str) -> str:
    """Return the built-in list's name for a slug: "story-department" is "story"."""
    slug = department.lower().replace("_", "-").removesuffix("-department")
    if slug in DEPARTMENTS:
        return slug
    return next((name for name in DEPARTMENTS if name in slug.split("-")), slug)


def _words_of(department: str) -> str:
    return department.replace("-", " ").replace("_", " ")


def _titled(name: str) -> str:
    return " ".join(word if word.isupper() else word[:1].upper() + word[1:] for word in name.split())
