"""What a word of a text is; pure."""

import enum
from dataclasses import dataclass
from typing import Final

STEM_CHARS: Final = 5
"""A crude stem that holds for most inflecting languages: "walked", "walking" and "walk" share it."""


class Kind(enum.Enum):
    """What a word is; of two texts' words only those of one kind are alike."""

    PLAIN = enum.auto()
    NUMBER = enum.auto()
    WEAK_NUMBER = enum.auto()
    """Such as "one" and "second": a number only where another stands in its place."""
    UNIT = enum.auto()
    NEGATION = enum.auto()
    FILLER = enum.auto()


@dataclass(frozen=True, slots=True)
class Word:
    """One word; `key` is what makes two the same."""

    key: str
    kind: Kind = Kind.PLAIN
    is_capital: bool = False
