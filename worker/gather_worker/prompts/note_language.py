"""The language in which notes are written: as the run names it, else as the project's notes seem to be in.

A guess is told to the model as a guess: it sees the notes themselves, and knows more languages. So there
is a small rule here and no model: a script that one language uses decides, else the most frequent words do,
and where neither is clear nothing is said.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final, Protocol

from gather_worker.prompts.truncation import thinned

TEXTS_MAX: Final = 100
"""Looked at, evenly of all: a project has one language, and 60,000 characters show it."""
TEXT_CHARS: Final = 600
LETTERS_MIN: Final = 20
"""In a script of its own; a name or a title is no language."""
WORDS_MIN: Final = 20
SCRIPT_SHARE: Final = 0.5
KANA_SHARE: Final = 0.1
"""Japanese is written with Chinese characters too, Chinese never with these."""
WORDS_SHARE: Final = 0.12
"""Of all words, those that the language's list has: 20 to 50 % of its running text, in others under 10 %."""
LEAD: Final = 1.2
"""Times as many as of the next language, or neither is named."""

_WORD: Final = re.compile(r"[^\s\d!-/:-@\[-`{-~«»„“”‘’…–—।،؟۔]+")  # noqa: RUF001 - punctuation is meant
"""Not `\\w`, which leaves out the vowel signs of Indic scripts."""


class Written(Protocol):
    """A note, as far as its language is concerned."""

    @property
    def content(self) -> str:
        """Return what it says."""

    @property
    def is_automated(self) -> bool:
        """Return whether no person wrote it."""


@cache
def _languages() -> Mapping[str, Mapping[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(
        files(__package__).joinpath("languages.json").read_text(encoding="utf-8")
    )
    return found


@cache
def _scripts() -> Mapping[str, re.Pattern[str]]:
    return {
        code: re.compile(f"[{entry['script']}]") for code, entry in _languages().items() if "script" in entry
    }


@cache
def _common_words() -> Mapping[str, frozenset[str]]:
    return {
        code: frozenset(entry["words"].split()) for code, entry in _languages().items() if "words" in entry
    }


def named(tag: str) -> str:
    """Return a language tag with the language's name before it, such as "German (de)"; the tag if unknown."""
    entry = _languages().get(tag.partition("-")[0].lower())
    return f"{entry['name']} ({tag})" if entry else tag


def language_request(given: str | None, notes: Sequence[Written]) -> tuple[str, dict[str, Any]]:
    """Return which of the prompt's requests says in what language to write, and the data that it needs.

    People's notes decide before all others, since those may be the answer to an earlier prompt.
    """
    if given:
        return "language", {"language": named(given)}
    found = project_language(notes)
    if found is None:
        return "notes_language", {}
    return "detected_language", {"language_of_the_notes": named(found)}


def project_language(notes: Sequence[Written]) -> str | None:
    """Return the code of the language that a project's notes seem to be in, None if that is not clear."""
    people = (note.content for note in notes if not note.is_automated)
    return language_of(people) or language_of(note.content for note in notes)


def language_of(texts: Iterable[str]) -> str | None:
    """Return the code of the language that the texts seem to be in, None if that is not clear."""
    return _language_in("\n".join(text[:TEXT_CHARS] for text in thinned(list(texts), TEXTS_MAX)).lower())


@lru_cache(maxsize=8)
def _language_in(text: str) -> str | None:
    return _by_script(text) or _by_words(text)


def _by_script(text: str) -> str | None:
    letters = sum(map(str.isalpha, text))
    if letters < LETTERS_MIN:
        return None
    shares = {code: len(script.findall(text)) / letters for code, script in _scripts().items()}
    if shares["ja"] > KANA_SHARE and shares["ja"] + shares["zh"] > SCRIPT_SHARE:
        return "ja"
    best = max(shares, key=lambda code: shares[code])
    return best if shares[best] > SCRIPT_SHARE else None


def _by_words(text: str) -> str | None:
    words = Counter(_WORD.findall(text))
    total = words.total()
    if total < WORDS_MIN:
        return None
    hits = {code: sum(words[word] for word in common) for code, common in _common_words().items()}
    best, second = sorted(hits, key=lambda code: hits[code], reverse=True)[:2]
    is_clear = hits[best] >= WORDS_SHARE * total and hits[best] >= LEAD * hits[second]
    return best if is_clear else None
