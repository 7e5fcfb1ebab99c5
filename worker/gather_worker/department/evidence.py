"""Which parts of a verdict count: those that quote what stands in the notes; pure.

A number is easily said; a quote shows at least that the judge has read. A quote is found if one of the notes
that the judge was shown has its words, by the normalisation that all rooms share: case, spacing, punctuation
and marks of emphasis may differ, and "…" may stand for what is left out. What is quoted does not make the
number right, and a judge that invents quotes has read something else.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gather_contracts.text import normalised
from gather_worker.department.quality import RUBRIC_PARTS
from gather_worker.schemas import QualityVerdict

QUOTE_LETTERS_MIN: Final = 12
"""Letters and digits of the longest stretch; two or three words. "The" stands in all notes."""
WIDE_LETTERS: Final = 2
"""What a letter of Chinese, Japanese or Korean counts for: six of them are two or three words."""
UNQUOTED_MAX: Final[Mapping[str, float]] = {"depth": 20.0, "actionability": 20.0}
"""Scores up to which a part needs no quote: the rubric's two lowest levels are about what is not there. Where
notes contradict each other or do not belong, there is something to quote, so coherence always needs one."""

_EMPHASIS: Final = str.maketrans("", "", "*_#~")
_LEFT_OUT: Final = re.compile(r"\[?(?:…|\.{3,})\]?")


@dataclass(frozen=True, slots=True)
class Heard:
    """A verdict with those of its quotes that were found, by part; a part that does not count is None."""

    said: QualityVerdict
    quotes: Mapping[str, tuple[str, ...]]

    @property
    def depth(self) -> float | None:
        """Return the score, 0-100."""
        return self.score("depth")

    @property
    def coherence(self) -> float | None:
        """Return the score, 0-100."""
        return self.score("coherence")

    @property
    def actionability(self) -> float | None:
        """Return the score, 0-100."""
        return self.score("actionability")

    def score(self, part: str) -> float | None:
        """Return the part's score, None without a quote where it needs one."""
        said = float(getattr(self.said, part))
        return said if self.quotes[part] or said <= UNQUOTED_MAX.get(part, -1.0) else None

    @property
    def unquoted(self) -> tuple[str, ...]:
        """Return the parts that do not count."""
        return tuple(part for part in RUBRIC_PARTS if self.score(part) is None)


def heard(verdict: QualityVerdict, notes: Sequence[str]) -> Heard:
    """Return what counts of a verdict on the notes, which are those that the judge was shown."""
    plain = [_plain(note) for note in notes]
    given = {part: getattr(verdict, f"{part}_quotes") for part in RUBRIC_PARTS}
    found = {part: tuple(q for q in quotes if _is_found(q, plain)) for part, quotes in given.items()}
    return Heard(verdict, found)


def is_quoted(quotes: Iterable[str], texts: Sequence[str]) -> bool:
    """Return whether one of the quotes stands in one of the texts."""
    plain = [_plain(text) for text in texts]
    return any(_is_found(quote, plain) for quote in quotes)


def _is_found(quote: str, plain_notes: Sequence[str]) -> bool:
    """Return whether one of the notes, in the form of `_plain`, has all stretches of the quote.

    The longest stretch must say something, or be the whole note.
    """
    stretches = [plain for each in _LEFT_OUT.split(quote) if _size(plain := _plain(each))]
    if not stretches:
        return False
    says_something = max(map(_size, stretches)) >= QUOTE_LETTERS_MIN
    return any(
        all(stretch in note for stretch in stretches) and (says_something or stretches == [note])
        for note in plain_notes
    )


def _plain(text: str) -> str:
    return normalised(text.translate(_EMPHASIS))


def _size(text: str) -> int:
    return sum(_letter_size(char) for char in text if char.isalnum())


def _letter_size(char: str) -> int:
    return WIDE_LETTERS if unicodedata.east_asian_width(char) in "WF" else 1
