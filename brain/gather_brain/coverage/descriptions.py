"""What a department's description lists, in the ways in which people write lists; pure.

Four ways are recognised, and the first that names two things or more is taken: lines with bullets or numbers,
pieces between semicolons or spaced slashes, sentences that list something around a verb or after a colon
("handles plot, pacing and theme"), and bare lists. What is prose names nothing. The verbs and small words are
those of the description's language (`grammars.py`).
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gather_brain.coverage.grammars import SCOPE, Grammar, grammar_of

NAME_WORDS_MAX: Final = 7
"""A longer piece between commas is prose; a longer bullet is cut to so many words for its name."""
CHARACTERS_A_WORD: Final = 3
"""Where words have no spaces between them."""
EXPLICIT_PIECES_MIN: Final = 3
"""So many pieces between semicolons or slashes are a list; fewer may be punctuation."""
SINGLE_WORDS_MAX: Final = 3
"""Beside real lists, "looks after the places where we film" names no aspect, "handles pacing" does."""

BULLET: Final = re.compile(
    r"^\s*(?:(?:[-*•‣◦–—+]|\(?\d{1,2}[.):]|\(?[a-z]\))\s+"  # noqa: RUF001
    r"|(?:\d{1,2}[、．]|[①-⑳]|[一二三四五六七八九十]{1,2}、)\s*)(?P<entry>\S.*)$"  # noqa: RUF001
)
INLINE_NUMBER: Final = re.compile(r"(?:^|\s)\(?\d{1,2}[.)]\s+")
MARKUP: Final = re.compile(r"(?<!\n)(?<!^)\*+|\*\*|[_`#\r\0]+")
BLANKS: Final = re.compile(r"[^\S\n]+")
EMPTY_LINES: Final = re.compile(r"\s*\n\s*\n\s*")
PARENTHESIS: Final = re.compile(r"\s*[(\[]([^()\[\]]*)[)\]]")
ENTRY_GLOSS: Final = re.compile(r":\s+|\s[-\u2013\u2014]\s")
STRONG: Final = re.compile(r"\s*[;•|\uff1b]\s*|\s+/\s+")
WEAK: Final = re.compile(r"\s*[,\u3001\uff0c]\s*|\n|\s[-\u2013\u2014]\s")
SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|(?<=[。！？।])|\n{2,}")  # noqa: RUF001
DOTS_MIN: Final = 2
"""So many middle dots, without commas, are a list ("照明・音響・衣装"); beside commas they join pairs."""
WIDE: Final = str.maketrans(
    {"：": ": ", "，": ", ", "；": "; ", "（": " (", "）": ") ", "／": " / ", "､": "、", "｡": "。"}  # noqa: RUF001
)
"""Wide punctuation, as the patterns know it."""
TRIMMED: Final = " \t.!?:,;\"'()[]-\u2013\u2014\n。！？、।«»„“”「」"  # noqa: RUF001
DOT: Final = re.compile(r"\s*・\s*")
UNSPACED: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Named:
    """A thing that a description names, and what it says of it (may be empty)."""

    name: str
    gloss: str


def named_in(description: str) -> list[Named]:
    """Return what a description lists, in its order; nothing where it is prose or empty."""
    text = unicodedata.normalize("NFC", description).translate(WIDE)
    text = BLANKS.sub(" ", MARKUP.sub("", text)).strip()
    text = EMPTY_LINES.sub("\n\n", text)
    grammar = grammar_of(text)
    best: list[Named] = []
    for way in (_bullets, _explicit, _sentences):
        found = [named for named in way(text, grammar) if named.name]
        if len(found) > 1:
            return found
        best = best or found
    return best


def _bullets(text: str, grammar: Grammar) -> Iterator[Named]:
    entries = [match["entry"] for line in text.split("\n") if (match := BULLET.match(f"{line} "))]
    if len(entries) < 2:  # noqa: PLR2004 - one bullet is no list
        entries = INLINE_NUMBER.split(text)[1:]
    for entry in entries:
        head, *rest = ENTRY_GLOSS.split(entry, maxsplit=1)
        yield _named(head, rest[0] if rest else "", grammar, whole=True)


def _explicit(text: str, grammar: Grammar) -> Iterator[Named]:
    for sentence in SENTENCE.split(text):
        if len(STRONG.split(sentence)) >= EXPLICIT_PIECES_MIN:
            first, *middle, last = STRONG.split(sentence)
            # What leads to the list stands in the first piece, or in the last where the verb does.
            first = grammar.listed(first).rsplit(": ", maxsplit=1)[-1]
            pieces = [first, *middle, grammar.tail.sub("", last)]
            yield from (_named(piece, "", grammar, whole=True) for piece in pieces)


def _sentences(text: str, grammar: Grammar) -> Iterator[Named]:
    lists: list[list[Named]] = []
    for sentence in SENTENCE.split(text):
        after = grammar.listed(sentence)
        pieces = _split(after, grammar, is_led=grammar.is_led(sentence))
        found = [named for piece in pieces if (named := _named(piece, "", grammar, whole=False)).name]
        # Without a verb or a colon before it, a list is what has several pieces that are mostly names.
        if found and (after != sentence or (len(pieces) > 1 and 2 * len(found) > len(pieces))):
            lists.append(found)
    # Where something is listed, a single long piece elsewhere is a description of the trade.
    real = any(len(found) > 1 for found in lists)
    for found in lists:
        if len(found) > 1 or not real or _words_in(found[0].name) <= SINGLE_WORDS_MAX:
            yield from found


def _split(listed: str, grammar: Grammar, *, is_led: bool) -> list[str]:
    """Split a list; an "and" splits at its end ("a, b and c") and joins elsewhere ("a and b, c").

    A list that `is_led` by a verb has an "and" before its end; one that just stands there, with other
    pairs in it ("a and b, c and d"), need not.
    """
    hidden = PARENTHESIS.findall(listed)
    bare = PARENTHESIS.sub("\0", listed)
    has_commas = WEAK.search(bare.strip(TRIMMED)) is not None
    dots = DOT.pattern if not has_commas and bare.count("・") >= DOTS_MIN else "(?!)"
    pieces = re.split(f"{WEAK.pattern}|{STRONG.pattern}|{dots}", bare)
    last = pieces[-1]
    joins = not is_led and any(grammar.last_and.search(piece) for piece in pieces[:-1])
    ends = [last] if grammar.leading_and.match(last) or joins else grammar.last_and.split(last)
    rest = iter(hidden)
    return [re.sub("\0", lambda _: f" ({next(rest)})", piece) for piece in [*pieces[:-1], *ends]]


def _named(piece: str, gloss: str, grammar: Grammar, *, whole: bool) -> Named:
    """Return the piece's name and gloss; without a name where it is prose."""
    said = [found.strip() for found in PARENTHESIS.findall(piece) if found.strip()]
    name = _trimmed(PARENTHESIS.sub("", grammar.leading_and.sub("", piece.strip())), grammar)
    if not any(letter.isalpha() for letter in name) or grammar.not_a_name.match(name):
        return Named("", "")
    if _words_in(name) > NAME_WORDS_MAX:
        if not whole:
            return Named("", "")
        said.append(name)
        name = _first_words(name)
    return Named(name, ", ".join([*said, _trimmed(gloss, grammar)] if gloss else said))


def _words_in(name: str) -> int:
    return max(len(name.split()), len(UNSPACED.findall(name)) // CHARACTERS_A_WORD)


def _first_words(name: str) -> str:
    cut = " ".join(name.split()[:NAME_WORDS_MAX])
    return cut[: NAME_WORDS_MAX * CHARACTERS_A_WORD] if UNSPACED.search(cut) else cut


def _trimmed(piece: str, grammar: Grammar) -> str:
    return SCOPE.sub("", grammar.filler.sub("", piece.strip(TRIMMED))).strip()
