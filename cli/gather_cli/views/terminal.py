"""The terminal: whether it takes colours and lines, and text that cannot steer it."""

import os
import re
import sys
from dataclasses import dataclass
from typing import Final

STEERING: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Escape sequences and marks of direction: what a CMS or a model says must not move the cursor."""
CODES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


@dataclass(frozen=True, slots=True)
class Terminal:
    """What stdout takes."""

    is_coloured: bool = False
    is_unicode: bool = True
    is_interactive: bool = False

    def paint(self, text: str, *styles: str) -> str:
        """Return the text in those styles."""
        if not self.is_coloured or not styles or not text:
            return text
        codes = ";".join(CODES[style] for style in styles)
        return f"\033[{codes}m{text}\033[0m"

    def glyph(self, unicode: str, ascii_: str) -> str:
        """Return what the terminal's encoding has."""
        return unicode if self.is_unicode else ascii_


def stdout_terminal() -> Terminal:
    """Return what stdout takes now: no colours in files and pipes, with NO_COLOR, or on a dumb terminal."""
    is_terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    return Terminal(
        is_coloured=is_terminal and not os.environ.get("NO_COLOR"),
        is_unicode=(sys.stdout.encoding or "").lower().replace("-", "") == "utf8",
        is_interactive=is_terminal,
    )


def plain(text: object) -> str:
    """Return a text on one line, without what would steer a terminal."""
    return STEERING.sub("", " ".join(str(text).split()))
