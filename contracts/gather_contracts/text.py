"""When two texts are the same text: one normalisation and one hash for all rooms.

Texts are the same if they differ only in case, spacing, sentence punctuation, and the way in which Unicode
writes the same characters. Everything else tells them apart: accents and vowel signs of every script, signs
such as + # % and the minus of a number, and what joins a word or a number (don't, 10:30, 3.5, well-known).
"""

# ruff: noqa: RUF001, RUF003 - signs that look like others are what this module is about

import hashlib
import re
import unicodedata
from typing import Final

MARKS_MAX: Final = 30
"""Marks in a row, as in Unicode's stream-safe format. More is no writing, and sorting them is quadratic."""
GROWTH_MAX: Final = 4
"""A text that grows to more than this by NFKC is no writing either; one character can become 18."""
KINDS_KEPT: Final = 20_000
"""Characters whose kind is remembered; more than all living scripts but Chinese need."""

UNSEEN: Final = re.compile("[\u00ad\u034f\u061c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
"""Hyphenation points, directions and joins that no reader sees."""

SEEN_PATTERN: Final = (
    r"[^\s\x00-\x1f\x7f-\xa0\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u1680\u17b4"
    r"\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f"
    r"\ufeff\uffa0\ufff9-\ufffb]"
)
"""A character that a reader sees: no space, control, mark of direction, joiner, selector or filler (Unicode's
Z and C below U+10000, and letters and marks drawn as nothing). Rust, Python and
JavaScript read it; halves of characters, which JavaScript may see, are not among them."""
SEEN: Final = re.compile(SEEN_PATTERN)
UNSEEN_ABOVE: Final = re.compile("[\U0001d173-\U0001d17a\U000e0000-\U000e0fff]")
"""The same above U+10000, which not all languages have a way to write: beams, tags and selectors."""

PLAIN: Final = (("‘", "'"), ("’", "'"), ("ʼ", "'"), ("‐", "-"), ("−", "-"), ("⁄", "/"))
"""Typographic apostrophes, hyphen, minus, and the slash that NFKC puts into ½."""
DASHES: Final = "‒–—―⸺⸻"
PLAIN_DASHES: Final = tuple((dash, "-") for dash in DASHES)

SENTENCE_SIGNS: Final = frozenset(
    '!?"`¡¿'
    "、。〃"  # Chinese and Japanese, whose other signs NFKC makes ASCII
    "؟۔"  # Arabic and Urdu, besides NUMBER_SIGNS
    "।॥"  # Devanagari and its relatives
    "՛՜՝՞։"  # Armenian
    "׀׃"  # Hebrew
    "፠፡።፣፤፥፦፧፨"  # Ethiopic
    "။၊"  # Burmese
    "។៕៖"  # Khmer
    "܀܁܂"  # Syriac
    "᠂᠃᠈᠉"  # Mongolian
)
"""Ignored wherever they stand; brackets and quotation marks of all scripts are too, by their category."""
NUMBER_SIGNS: Final = frozenset(",;،؛٫٬")
"""Ignored but between two digits."""

# A text is read by the kinds of its characters, one letter each:
# d digit, w letter, k letter of a script without spaces, m mark that belongs to the character before it,
# - hyphen or minus, n dash, . : ' themselves, "," a sign of NUMBER_SIGNS, p other punctuation, s sign.
TOKEN: Final = re.compile(
    r"(?:(?<![wkdm.])\.(?=d))?"  # .5
    r"[wkdm]+"
    r"(?:(?:"
    r"-(?=[wkd])"  # well-known, 3-5
    r"|(?<=[wdm])[.:'](?=[wd])"  # don't, e.g, 3.5, 10:30
    r"|(?<=d)[,n](?=d)"  # 1,000 and 1–5
    r")[wkdm]+)*"
    r"|[-s]m*"  # C++, -5, #1: each sign for itself
    r"|(?<![wkdm])n(?=d)"  # –5 with a dash for its minus
)
MARK_RUN: Final = re.compile(f"m{{{MARKS_MAX + 1}}}")
SIGN_RUN: Final = re.compile(rf"[^\w\s]{{{MARKS_MAX + 1}}}")
"""What a run of marks is to Python's `\\w`; found sooner, and rare."""


# The same for texts of ASCII and the signs that word processors make of it, read without their kinds: most
# texts, in a third of the time.
COMMON: Final = re.compile("[\x00-\x7f‘’“”–—…]*")
COMMON_TOKEN: Final = re.compile(
    r"(?:(?<![a-z0-9_.])\.(?=[0-9]))?"
    r"[a-z0-9_]+"
    r"(?:(?:-(?=[a-z0-9_])|[.:'](?=[a-z0-9_])|(?<=[0-9])[,;–—](?=[0-9]))[a-z0-9_]+)*"
    r"|[-#$%&*+/<=>@\\^|~]"
    r"|(?<![a-z0-9_])[–—](?=[0-9])"
)
COMMON_PLAIN: Final = (("‘", "'"), ("’", "'"), ("…", "..."))


class _Kinds(dict[int, str]):
    """The kind of each character, found when it is first asked for."""

    def __missing__(self, code: int) -> str:
        kind = _kind_of(chr(code))
        if len(self) < KINDS_KEPT:
            self[code] = kind
        return kind


def _kind_of(char: str) -> str:
    category = unicodedata.category(char)
    if char in ".:'-":
        kind = char
    elif char in NUMBER_SIGNS:
        kind = ","
    elif char in DASHES:
        kind = "n"
    elif char in SENTENCE_SIGNS or category in {"Ps", "Pe", "Pi", "Pf"}:
        kind = "p"
    elif category[0] == "Z" or category == "Cc" or char == "\u200b":
        kind = " "
    elif category[0] == "L" or char == "_":
        kind = "k" if unicodedata.east_asian_width(char) == "W" else "w"
    else:
        # Besides marks: the joiners of Persian, Indic scripts and emoji.
        kind = {"N": "d", "M": "m"}.get(category[0], "m" if category == "Cf" else "s")
    return kind


_KINDS: Final = _Kinds()


def normalised(text: str) -> str:
    """Return the words, numbers and signs of the text in one form, with single spaces between them.

    A text in which nothing is left is itself, without outer space. Normalising twice changes nothing.
    """
    seen = UNSEEN.sub("", text)
    if COMMON.fullmatch(seen):
        tokens = COMMON_TOKEN.findall(_replaced(seen.lower(), COMMON_PLAIN))
    elif (by_kinds := _tokens(seen)) is None:
        return seen.strip()
    else:
        tokens = by_kinds
    return _replaced(" ".join(tokens), PLAIN_DASHES) or seen.strip()


def _tokens(seen: str) -> list[str] | None:
    """Return the tokens of any text; None for one whose marks or growth no writing has."""
    if SIGN_RUN.search(seen) and MARK_RUN.search(seen.translate(_KINDS)):
        return None
    folded = _replaced(_folded(seen), PLAIN)
    if len(folded) > GROWTH_MAX * max(len(seen), MARKS_MAX):
        return None
    return [folded[found.start() : found.end()] for found in TOKEN.finditer(folded.translate(_KINDS))]


def _replaced(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for old, new in pairs:
        text = text.replace(old, new)
    return text


def _folded(text: str) -> str:
    """Return the text in one case and one Unicode form, which neither folding nor composing changes again."""
    folded = unicodedata.normalize("NFKC", text)
    while (again := unicodedata.normalize("NFKC", folded.casefold())) != folded:
        folded = again
    return folded


def text_hash(text: str) -> str:
    """Return the SHA-256 of the normalised text in hexadecimal: equal for texts that are the same."""
    return hashlib.sha256(normalised(text).encode("utf-8", "surrogatepass")).hexdigest()


def is_blank(text: str) -> bool:
    """Return whether a reader sees nothing of the text: spaces, controls, joins and fillers alone."""
    return SEEN.search(UNSEEN_ABOVE.sub("", text)) is None


def content_hash(text: str) -> str:
    """Return the SHA-256 of the text as it is in hexadecimal: equal for the same characters only."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
