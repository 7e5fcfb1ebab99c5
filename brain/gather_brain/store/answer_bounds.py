"""How long an answer with many nodes may be, in characters of texts and of properties as JSON."""

import re
from collections.abc import Iterable
from typing import Final

from gather_brain.errors import AnswerTooLongError

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
