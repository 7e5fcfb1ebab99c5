"""The language in which notes are written: as the run names it, else as the project's notes seem to be in.

A guess is told to the model as a guess: it sees the notes themselves, and knows more languages.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, Protocol

from gather_clients.wording.text_language import SURE_VOTES, language_name, main_language

TEXTS_MAX: Final = 50
"""Looked at, evenly of all: a project has one language, and 15,000 characters show it. 0.5 ms each."""
TEXT_CHARS: Final = 600
LETTERS_MIN: Final = 20
"""A name or a title is no language."""


class Written(Protocol):
    """A note, as far as its language is concerned."""

    @property
    def content(self) -> str:
        """Return what it says."""

    @property
    def is_automated(self) -> bool:
        """Return whether no person wrote it."""


def named(tag: str) -> str:
    """Return a language tag with the language's name before it, such as "German (de)"; the tag if unknown."""
    name = language_name(tag.partition("-")[0].lower())
    return f"{name} ({tag})" if name else tag


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
    known = list(texts)
    # A power of two, so that notes that are added leave the choice as it was: each text is looked at once.
    stride = 1 << (len(known) // TEXTS_MAX).bit_length()
    seen = tuple(text[:TEXT_CHARS] for text in known[::stride])
    return _language_of(seen) if sum(map(len, seen)) >= LETTERS_MIN else None


@lru_cache(maxsize=4)
def _language_of(seen: tuple[str, ...]) -> str | None:
    """Return it once for the same texts: the prompt asks, and so does the limit of its answer's length."""
    return main_language(seen, SURE_VOTES)
