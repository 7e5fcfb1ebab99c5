"""What of a note is compared by itself: sentences, entries of lists, rows of tables; pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from gather_brain.words import WORD

PASSAGES_MAX: Final = 24
"""Of one note; bounds the cost of 100 notes. It does not depend on their number, so that laws stand."""
SENTENCES_TOGETHER_MAX: Final = 4
"""A longer note's neighbours go together, so many at most; what is beyond is not measured."""
CELLS_MAX: Final = 8
WORDS_MIN: Final = 3
"""Shorter pieces ("Yes.", "Act one:") say too little to match an aspect and join their neighbour."""
CHARACTERS_A_WORD: Final = 2
"""Of scripts that write no spaces, roughly."""

SENTENCE_END: Final = re.compile(
    r"(?<=[.!?…;])[\"'”’»)]*\s+"  # noqa: RUF001 - closing quotes
    r"|(?<=[。！？।॥])[”’」』)]*\s*"  # noqa: RUF001
    r"|\n+"
)
MARKER: Final = re.compile(r"^\s*(?:[-*•‣◦–+]|\(?\d{1,2}[.)])\s+")  # noqa: RUF001
RULE: Final = re.compile(r"^\s*\|?(?:\s*:?-{2,}:?\s*\|)+\s*:?-*:?\s*$")
UNSPACED: Final = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


def passages(text: str) -> tuple[tuple[str, ...], int]:
    """Return a note's passages, at least one, and how many of its sentences are in none of them."""
    found: list[str] = []
    for piece in _pieces(text):
        if found and _words_in(piece) < WORDS_MIN:
            found[-1] = f"{found[-1]} {piece}"
        else:
            found.append(piece)
    if not found:
        return (text,), 0
    together = min(-(-len(found) // PASSAGES_MAX), SENTENCES_TOGETHER_MAX)
    joined = [" ".join(found[place : place + together]) for place in range(0, len(found), together)]
    return tuple(joined[:PASSAGES_MAX]), max(0, len(found) - PASSAGES_MAX * together)


def _pieces(text: str) -> Iterator[str]:
    head: Sequence[str] = ()
    lines = text.split("\n")
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        is_row = line.lstrip().startswith("|") and line.count("|") > 1
        if is_row and RULE.match(following):
            head = _cells(line)
        elif is_row and not RULE.match(line):
            yield _row(_cells(line), head)
        elif not is_row:
            head = ()
            pieces = SENTENCE_END.split(MARKER.sub("", line))
            yield from (piece.strip() for piece in pieces if piece.strip())


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")][:CELLS_MAX]


def _row(cells: Sequence[str], head: Sequence[str]) -> str:
    """Return a table's row as a sentence, each cell behind its column's name."""
    names = [*head, *([""] * len(cells))]
    pairs = zip(names, cells, strict=False)
    return ", ".join(f"{name}: {cell}" if name else cell for name, cell in pairs if cell)


def _words_in(piece: str) -> int:
    return max(len(WORD.findall(piece)), len(UNSPACED.findall(piece)) // CHARACTERS_A_WORD)
