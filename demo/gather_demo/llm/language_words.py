"""Words by which the demo model reads prompts and judges notes, of all its languages together.

A prompt does not say in which language its notes are. Few words of one language mean something else in the
other.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict

from gather_demo.languages import Language, file_in

FILES: Final = Path(__file__).parent / "words"

Words = Annotated[tuple[str, ...], BeforeValidator(str.split)]


class LanguageWords(BaseModel):
    """The words of one language."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stop_words: Words
    numbers: Words
    """Patterns, as are the actions."""
    actions: Words
    duties: tuple[str, ...]
    """What stands in a department's description between it and what it is for."""
    subjects: tuple[str, ...]
    """What may stand there in a prompt besides."""
    conjunctions: Words
    not_names: Words


@cache
def languages() -> tuple[LanguageWords, ...]:
    """Return the words of each language; raises ValidationError if a file is not what this module says."""
    texts = (file_in(language, FILES).read_text(encoding="utf-8") for language in Language)
    return tuple(LanguageWords.model_validate(yaml.safe_load(text)) for text in texts)


def any_of(words: Iterable[Iterable[str]]) -> str:
    """Return a pattern that finds any word of these lists, as a whole word."""
    return rf"\b(?:{'|'.join(word for listed in words for word in listed)})\b"
