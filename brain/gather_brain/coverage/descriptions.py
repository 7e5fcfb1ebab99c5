"""What a department's description lists, in the ways in which people write lists; pure.

Four ways are recognised, and the first that names two things or more is taken: lines with bullets or numbers,
pieces between semicolons or spaced slashes, sentences that list something after a verb or a colon ("handles
plot, pacing and theme"), and bare lists. What is prose names nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

NAME_WORDS_MAX: Final = 7
"""A longer piece between commas is prose; a longer bullet is cut to so many words for its name."""
EXPLICIT_PIECES_MIN: Final = 3
"""So many pieces between semicolons or slashes are a list; fewer may be punctuation."""
SINGLE_WORDS_MAX: Final = 3
"""Beside real lists, "looks after the places where we film" names no aspect, "handles pacing" does."""

BULLET: Final = re.compile(r"^\s*(?:[-*•‣◦–—+]|\(?\d{1,2}[.):]|\(?[a-z]\))\s+(?P<entry>\S.*)$")  # noqa: RUF001
INLINE_NUMBER: Final = re.compile(r"(?:^|\s)\(?\d{1,2}[.)]\s+")
MARKUP: Final = re.compile(r"(?<!\n)(?<!^)\*+|\*\*|[_`#\r\0]+")
BLANKS: Final = re.compile(r"[^\S\n]+")
EMPTY_LINES: Final = re.compile(r"\s*\n\s*\n\s*")
PARENTHESIS: Final = re.compile(r"\s*[(\[]([^()\[\]]*)[)\]]")
ENTRY_GLOSS: Final = re.compile(r":\s+|\s[-\u2013\u2014]\s")
STRONG: Final = re.compile(r"\s*[;•|\uff1b]\s*|\s+/\s+")
WEAK: Final = re.compile(r"\s*[,\u3001\uff0c]\s*|\n|\s[-\u2013\u2014]\s")
SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|\n{2,}")
_SUREST: Final = r"including|such as|namely|that means|which means|that is|i\.e\.|among them"
_SURE: Final = (
    r"handles?|handling|covers?|covering|responsible for|in charge of|deals? with|dealing with|looks? after|"
    r"takes? care of|concerned with|tasked with|consists? of|comprises?|duties are|areas are|aspects are|"
    r"asked for|accountable for"
)
_LIKELY: Final = (
    r"owns?|includes?|works? on|manages?|defines?|oversees?|supervises?|develops?|focus(?:es)? on|"
    r"decides?(?: on)?|creates?|designs?|delivers?|provides?|prepares?|coordinates?"
)
LEADS: Final = tuple(
    re.compile(rf"^.*?\b(?:{verbs})\b[:\s]*", re.IGNORECASE | re.DOTALL)
    for verbs in (_SUREST, _SURE, _LIKELY)
)
"""The words before a list, the surest first; the last group has verbs that are also nouns."""
COLON: Final = re.compile(r"^[^,;:]{1,80}:\s+", re.DOTALL)
AND: Final = re.compile(r"\s+(?:and|as well as|plus|&)\s+", re.IGNORECASE)
LEADING_AND: Final = re.compile(r"^(?:and|as well as|plus|&|or)\s+", re.IGNORECASE)
FILLER: Final = re.compile(
    r"^(?:the|a|an|all|any|its|their|our|overall|every|also|etc|both)\s+|"
    r"\s+(?:etc|too|and so on|and more|and the like)$",
    re.IGNORECASE,
)
SCOPE: Final = re.compile(
    r"\s+(?:for|across|throughout|in)\s+(?:the|every|each|all|our|this)\s+(?:\w+\s+)?"
    r"(?:films?|movies?|productions?|projects?|series|shows?|pictures?|principals?|characters?|departments?)$",
    re.IGNORECASE,
)
NOT_A_NAME: Final = re.compile(
    r"^(?:everything|everybody|everyone|anything|what|whatever|others?|etc|so on|more|we|i|you|they|it|he|"
    r"she|who|which|that|this|these|if|when|where|while|because|since|so|but|not|to|is|are)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Named:
    """A thing that a description names, and what it says of it (may be empty)."""

    name: str
    gloss: str


def named_in(description: str) -> list[Named]:
    """Return what a description lists, in its order; nothing where it is prose or empty."""
    text = BLANKS.sub(" ", MARKUP.sub("", description)).strip()
    text = EMPTY_LINES.sub("\n\n", text)
    best: list[Named] = []
    for way in (_bullets, _explicit, _sentences):
        found = [named for named in way(text) if named.name]
        if len(found) > 1:
            return found
        best = best or found
    return best


def _bullets(text: str) -> Iterator[Named]:
    entries = [match["entry"] for line in text.split("\n") if (match := BULLET.match(f"{line} "))]
    if len(entries) < 2:  # noqa: PLR2004 - one bullet is no list
        entries = INLINE_NUMBER.split(text)[1:]
    for entry in entries:
        head, *rest = ENTRY_GLOSS.split(entry, maxsplit=1)
        yield _named(head, rest[0] if rest else "", whole=True)


def _explicit(text: str) -> Iterator[Named]:
    for sentence in SENTENCE.split(text):
        pieces = STRONG.split(sentence)
        if len(pieces) >= EXPLICIT_PIECES_MIN:
            pieces[0] = _after_lead(pieces[0])
            yield from (_named(piece, "", whole=True) for piece in pieces)


def _sentences(text: str) -> Iterator[Named]:
    lists: list[list[Named]] = []
    for sentence in SENTENCE.split(text):
        after = _after_lead(sentence)
        pieces = _split(after, is_led=any(lead.match(sentence) for lead in LEADS))
        found = [named for piece in pieces if (named := _named(piece, "", whole=False)).name]
        # Without a verb or a colon before it, a list is what has several pieces that are mostly names.
        if found and (after != sentence or (len(pieces) > 1 and 2 * len(found) > len(pieces))):
            lists.append(found)
    # Where something is listed, a single long piece elsewhere is a description of the trade.
    real = any(len(found) > 1 for found in lists)
    for found in lists:
        if len(found) > 1 or not real or len(found[0].name.split()) <= SINGLE_WORDS_MAX:
            yield from found


def _after_lead(sentence: str) -> str:
    """Return what stands after the verb or the colon that begins a list, the sentence if none does."""
    for lead in (*LEADS[:2], COLON, LEADS[2]):
        after = lead.sub("", sentence, count=1)
        if after != sentence and after.strip(" .!?"):
            return COLON.sub("", after) if lead is not COLON else after
    return sentence


def _split(listed: str, *, is_led: bool) -> list[str]:
    """Split a list; an "and" splits at its end ("a, b and c") and joins elsewhere ("a and b, c").

    A list that `is_led` by a verb has an "and" before its end; one that just stands there, with other
    pairs in it ("a and b, c and d"), need not.
    """
    hidden = PARENTHESIS.findall(listed)
    pieces = re.split(f"{WEAK.pattern}|{STRONG.pattern}", PARENTHESIS.sub("\0", listed))
    last = pieces[-1]
    joined = LEADING_AND.match(last) or (not is_led and any(AND.search(piece) for piece in pieces[:-1]))
    ends = [last] if joined else AND.split(last)
    rest = iter(hidden)
    return [re.sub("\0", lambda _: f" ({next(rest)})", piece) for piece in [*pieces[:-1], *ends]]


def _named(piece: str, gloss: str, *, whole: bool) -> Named:
    """Return the piece's name and gloss; without a name where it is prose."""
    said = [found.strip() for found in PARENTHESIS.findall(piece) if found.strip()]
    name = _trimmed(PARENTHESIS.sub("", LEADING_AND.sub("", piece.strip())))
    count = len(name.split())
    if not any(letter.isalpha() for letter in name) or NOT_A_NAME.match(name):
        return Named("", "")
    if count > NAME_WORDS_MAX:
        if not whole:
            return Named("", "")
        said.append(name)
        name = " ".join(name.split()[:NAME_WORDS_MAX])
    return Named(name, ", ".join([*said, _trimmed(gloss)] if gloss else said))


def _trimmed(piece: str) -> str:
    bare = piece.strip(" \t.!?:,;\"'()[]-\u2013\u2014\n")
    return SCOPE.sub("", FILLER.sub("", bare)).strip()
