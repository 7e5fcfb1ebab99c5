"""Texts made fit to be sent, stored and shown; pure."""

import re
from typing import Final

_LINE_BREAK: Final = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f"  # control characters: they rule terminals and break lines of logs
    "\u061c\u202a-\u202e\u2066-\u2069"  # text direction: shows other words than are there
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # marks and tags: words that nobody sees
    "\ufdd0-\ufdef\ufffe\uffff]"  # no characters
)
"""Joiners stay: Persian, Indic scripts and emoji are written with them."""


BEYOND_LATIN: Final = re.compile("[^\x00-\u024f\u1e00-\u1eff\u2010-\u203a]+")
"""All but Latin letters, with or without marks, and their punctuation."""
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_CONTROLS: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]+")


def writable(text: str) -> str:
    """Return the text without what no store takes: a space for control characters, U+FFFD for surrogates."""
    return _CONTROLS.sub(" ", _SURROGATES.sub("\ufffd", text))


def encodable(text: str) -> str:
    """Return the text without halves of characters (lone surrogates): JSON can hold them, UTF-8 cannot."""
    return text.encode("utf-8", "ignore").decode("utf-8")


def clean(text: str) -> str:
    """Return the text fit to be stored: nothing in it but what a reader sees, no outer space.

    Of control characters tabs and line breaks stay, the latter all as line feeds.
    """
    return _UNSEEN.sub("", _LINE_BREAK.sub("\n", encodable(text))).strip()


def letters(text: str) -> int:
    """Return how many of the characters are letters or digits, in any script."""
    return sum(map(str.isalnum, text))


def shortened(text: str, length: int) -> str:
    """Return the text in one line of at most `length` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
