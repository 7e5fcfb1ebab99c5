"""Texts made to differ from labelled ones in what turns their meaning: pairs that are no duplicates; pure.

Labelled sets have few such pairs, and likeness sees no difference in them. The rules are of English; a text
in which a rule finds nothing to change gives no pair of its kind.
"""

import enum
import itertools
import random
import re
from collections.abc import Callable, Sequence
from typing import Final

from gather_worker.calibrate.labelled_pairs import LabelledPair

SEED: Final = 1
EACH_MAX: Final = 100
"""Pairs of each kind, of one set's part."""
NEGATED_IN: Final = re.compile(r"\b(not|never)\b |n't\b")
AUXILIARY: Final = re.compile(
    r"\b(is|are|was|were|will|would|can|could|shall|should|may|might|must|had|has|have|does|did|do)\b"
    r"(?! (?:not|never|no)\b|n't)"
)
SUBJECT: Final = re.compile(r"\b(he|she|they|it|we|who)(?= [a-z])", re.IGNORECASE)
YEAR: Final = re.compile(r"(?<![\d.,])(?:1[0-9]|20)\d\d(?![\d.,]\d|\d)")
NUMBER: Final = re.compile(r"(?<![\d.,:])\d+(?:[.,]\d+)*(?![\d:])")
NUMBER_WORDS: Final = ("two", "three", "four", "five", "six", "seven", "eight", "nine")
TENFOLD_WORDS: Final = {
    "two": "twenty", "three": "thirty", "four": "forty", "five": "fifty", "six": "sixty", "seven": "seventy",
    "eight": "eighty", "nine": "ninety", "ten": "a hundred",
}  # fmt: skip
NUMBER_WORD: Final = re.compile(rf"\b(?:{'|'.join([*NUMBER_WORDS, 'ten'])})\b")
NAME: Final = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{2,}\b")
NOUN: Final = re.compile(r"\b(?:the|a|an|his|her|their) ([a-z]{3,})\b(?! of\b)")
DIRECTIONS: Final = {
    "before": "after", "after": "before", "left": "right", "above": "below", "under": "over",
    "inside": "outside", "into": "out of", "up": "down", "down": "up", "always": "never", "first": "last",
    "man": "woman", "woman": "man", "boy": "girl", "girl": "boy", "more": "less", "open": "closed",
}  # fmt: skip
DIRECTION: Final = re.compile(rf"\b(?:{'|'.join(DIRECTIONS)})\b")


class Contrast(enum.StrEnum):
    """What turns the meaning of a text's other version."""

    NEGATED = "negated"
    OTHER_NUMBER = "another number"
    TENFOLD = "tenfold amount"
    OTHER_NAME = "another name"
    SWAPPED = "swapped roles"
    OPPOSITE = "opposite word"


Chance = random.Random
Change = Callable[[str, Chance, Sequence[str]], str | None]
"""Of a text, with chance and the names of other texts."""


def contrasts_of(pairs: Sequence[LabelledPair]) -> dict[str, list[LabelledPair]]:
    """Return pairs of each kind, made of the labelled texts, at most `EACH_MAX`, the same every time."""
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.a, pair.b)))
    chance = random.Random(SEED)  # noqa: S311 - the same every time, no secret
    chance.shuffle(texts)
    names = sorted({name for text in texts for name in NAME.findall(text)})
    return {kind: _made(change, texts, names, chance) for kind, change in CHANGES.items()}


def _made(
    change: Change, texts: Sequence[str], names: Sequence[str], chance: random.Random
) -> list[LabelledPair]:
    made: list[LabelledPair] = []
    for text in texts:
        changed = change(text, chance, names)
        if changed is not None and changed != text:
            made.append(LabelledPair(a=text, b=changed, duplicate=False))
        if len(made) == EACH_MAX:
            break
    return made


def _negated(text: str, chance: random.Random, _: Sequence[str]) -> str | None:
    """Take a negation out, or put one in."""
    if NEGATED_IN.search(text):
        return NEGATED_IN.sub("", text, count=1).replace("  ", " ")
    if found := _one_of(AUXILIARY, text, chance):
        return f"{text[: found.end()]} not{text[found.end() :]}"
    found = _one_of(SUBJECT, text, chance)
    return f"{text[: found.end()]} never{text[found.end() :]}" if found else None


def _other_number(text: str, chance: random.Random, _: Sequence[str]) -> str | None:
    """Change a year by up to 40, another number by up to 9."""
    for pattern, most in ((YEAR, 40), (NUMBER, 9)):
        if found := _one_of(pattern, text, chance):
            digits = re.search(r"\d+$", found.group())
            last = digits.group() if digits else found.group()
            changed = str(int(last) + chance.randint(1, most)).zfill(len(last))
            return f"{text[: found.end() - len(last)]}{changed}{text[found.end() :]}"
    if found := _one_of(NUMBER_WORD, text, chance):
        other = chance.choice([word for word in NUMBER_WORDS if word != found.group()])
        return _with(text, found, other)
    return None


def _tenfold(text: str, chance: random.Random, _: Sequence[str]) -> str | None:
    whole = [found for found in NUMBER.finditer(text) if found.group().isdecimal()]
    if whole:
        found = chance.choice(whole)
        return _with(text, found, f"{found.group()}0")
    word = _one_of(NUMBER_WORD, text, chance)
    return _with(text, word, TENFOLD_WORDS[word.group()]) if word else None


def _other_name(text: str, chance: random.Random, names: Sequence[str]) -> str | None:
    """Give a name's bearer another name, wherever it stands."""
    others = [name for name in names if name not in text]
    found = _one_of(NAME, text, chance)
    if not found or not others:
        return None
    return re.sub(rf"\b{found.group()}\b", chance.choice(others), text)


def _swapped(text: str, chance: random.Random, _: Sequence[str]) -> str | None:
    """Let two names, else two nouns, change places; neighbours may be one name."""
    for pattern in (NAME, NOUN):
        found = list(pattern.finditer(text))
        pairs = [
            (one.group(one.lastindex or 0), other.group(other.lastindex or 0))
            for one, other in itertools.combinations(found, 2)
            if re.search(r" [a-z]{2,} ", text[one.end() : other.end()])
        ]
        different = [pair for pair in pairs if pair[0] != pair[1]]
        if different:
            one, other = chance.choice(different)
            swap = {one: other, other: one}
            return re.sub(rf"\b(?:{one}|{other})\b", lambda found, swap=swap: swap[found.group()], text)  # type: ignore[misc]
    return None


def _opposite(text: str, chance: random.Random, _: Sequence[str]) -> str | None:
    found = _one_of(DIRECTION, text, chance)
    return _with(text, found, DIRECTIONS[found.group()]) if found else None


def _one_of(pattern: re.Pattern[str], text: str, chance: random.Random) -> re.Match[str] | None:
    found = list(pattern.finditer(text))
    return chance.choice(found) if found else None


def _with(text: str, found: re.Match[str], other: str) -> str:
    return f"{text[: found.start()]}{other}{text[found.end() :]}"


CHANGES: Final[dict[Contrast, Change]] = {
    Contrast.NEGATED: _negated,
    Contrast.OTHER_NUMBER: _other_number,
    Contrast.TENFOLD: _tenfold,
    Contrast.OTHER_NAME: _other_name,
    Contrast.SWAPPED: _swapped,
    Contrast.OPPOSITE: _opposite,
}
