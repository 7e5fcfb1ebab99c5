"""The usual film departments and what each should cover, where a description names too little.

`film_departments.json` and `film_vocabulary.json` were written for Gather from common film-production
practice. The first names each department's aspects, the most important first. A gloss says what belongs to an
aspect; it is embedded together with the name, since a bare word ("pacing") is near to few sentences that are
about it. The second does the same for words that descriptions use ("multiples and continuity"): a note says
"five copies of the dress, photographed at wrap". The order of the entries is part of the data.
"""

import json
from importlib.resources import files
from typing import Any, Final

from gather_brain.words import content_words, stem


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((files("gather_brain.coverage") / name).read_text(encoding="utf-8"))
    return found


def aspect_key(name: str) -> frozenset[str]:
    """Return the stems of an aspect's words, by which two spellings of it are the same."""
    return frozenset(stem(word) for word in content_words(name.lower().replace("colour", "color")))


_FILM: Final = _read("film_departments.json")

GLOSSES_OF: Final[dict[str, dict[str, str]]] = _FILM["departments"]
"""Glosses of each department, by the aspect's name."""

DEPARTMENTS: Final[dict[str, tuple[str, ...]]] = {
    name: tuple(aspects) for name, aspects in GLOSSES_OF.items()
}
"""Aspect names of each department, the most important first."""

ALIASES: Final[dict[str, str]] = {
    alias: name for name, aliases in _FILM["aliases"].items() for alias in aliases
}
"""Other words for the departments above."""

GLOSSES: Final[dict[frozenset[str], str]] = {
    aspect_key(name): gloss
    for aspects in reversed(list(GLOSSES_OF.values()))
    for name, gloss in aspects.items()
}
"""Gloss by `aspect_key`; of two departments with one aspect the earlier one's gloss stays."""

COMMON_ASPECTS: Final = tuple(
    dict.fromkeys(f"{name}: {gloss}" for aspects in GLOSSES_OF.values() for name, gloss in aspects.items())
)
"""What film notes are usually about, to recognise what is about none of a department's own aspects."""

NO_TRADE: Final = (
    "Messages within the team: thanks, dates of calls, deadlines, links, folders, votes",
    (
        "How work is organised: who decides, owners, meetings, lists, comparing options, trying a sample,"
        " reviewing"
    ),
    "Office and household: forms, bills, insurance, shops, appliances, school, appointments",
    "What an audience should feel, what the story needs, the lead, scenes and rules of the film in general",
)
"""What notes are about that belong to no trade, or could stand in any: to recognise them where no list knows
what a department's own notes say."""

TRADE_WORDS: Final[dict[str, str]] = {
    stem(word.replace("colour", "color")): gloss
    for glosses in _read("film_vocabulary.json").values()
    for word, gloss in glosses.items()
}
"""What is said where a word is treated, by the word's stem."""
