"""How long an answer with many nodes may be, in characters of texts and of properties as JSON.

Neo4j counts first, so that what is refused never reaches the brain (`UNLESS_TOO_LONG`); what is left to do
here is to count control characters, and what was found twice.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from gather_brain.errors import AnswerTooLongError
from gather_brain.store.database import Record

LENGTH_MAX: Final = 3_500_000
"""14 MB in the widest characters, which clients still take (`BrainClient` 16 MiB)."""
CONTROL: Final = re.compile("[\x00-\x1f]")
"""Six bytes each in JSON, where others are four at most."""


def length_of(text: str) -> int:
    """Return how many of the widest characters a text is as long as in JSON."""
    return len(text) + len(CONTROL.findall(text)) // 2


def require_short(lengths: Iterable[int]) -> None:
    """Raise AnswerTooLongError where texts of these lengths are too long together."""
    if sum(lengths) > LENGTH_MAX:
        raise AnswerTooLongError


def require_short_texts(texts: Sequence[str]) -> None:
    """Raise AnswerTooLongError where these texts are too long together."""
    characters = sum(map(len, texts))
    # Their control characters are looked for only where it would be too long of nothing else.
    if characters + characters // 2 > LENGTH_MAX:
        require_short(map(length_of, texts))


def require_sent(rows: Sequence[Record], name: str) -> None:
    """Raise AnswerTooLongError where Neo4j sent a row without `name` in the place of all that it found."""
    if rows and rows[0][name] is None:
        raise AnswerTooLongError
