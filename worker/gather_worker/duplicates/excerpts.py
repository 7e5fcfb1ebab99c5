"""Two texts cut so that a reader sees where they differ; pure.

Two long notes may begin with the same words and differ at their ends; their beginnings alone look alike.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from gather_clients.wording.alignment import Gap, gaps
from gather_clients.wording.telling_words import reading_of
from gather_clients.wording.text_language import language_of_pair
from gather_clients.wording.word_kinds import Kind
from gather_clients.wording.word_tables import SPACELESS
from gather_contracts.text_cleaning import shortened

AROUND_CHARS: Final = 50
"""Shown before and after a place where the texts differ, so that it can be understood."""
GAP_CHARS_MAX: Final = 120
PAIRS_KEPT: Final = 256
"""A pair's are wanted for its verdict's key and for the question."""
BETWEEN: Final = " … "
TELLING: Final = frozenset({Kind.NUMBER, Kind.UNIT, Kind.NEGATION})

_TOKEN: Final = re.compile(rf"[{SPACELESS}]|[^\s{SPACELESS}]+")

Spans = list[tuple[int, int]]
"""Places in a text, each from its first character to the one after its last."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A text in one line, and where its words stand."""

    text: str
    spans: Spans

    def words(self, places: range) -> str:
        """Return some of the words."""
        return " ".join(self.text[start:end] for start, end in self.spans[places.start : places.stop])

    def span(self, places: range) -> tuple[int, int]:
        """Return where words stand, or would stand."""
        if places:
            return self.spans[places.start][0], self.spans[places.stop - 1][1]
        before = self.spans[places.start - 1][1] if places.start else 0
        return before, before

    def window(self, places: range) -> tuple[int, int]:
        """Return where words stand, with some before and after."""
        start, end = self.span(places)
        left, right = max(start - AROUND_CHARS, 0), min(end, start + GAP_CHARS_MAX) + AROUND_CHARS
        after = self.text.find(" ", left, start)
        before = self.text.rfind(" ", end, right) if right < len(self.text) else -1
        return (after + 1 if left and after >= 0 else left), (before if before > end else right)


@lru_cache(maxsize=PAIRS_KEPT)
def excerpts(one: str, other: str, length: int) -> tuple[str, str]:
    """Return both texts in one line of at most `length` characters each.

    Texts that fit are whole. Else each is its beginning, and, where that does not show it, what turns the
    meaning further on; where the beginnings are the same, whatever differs further on.
    """
    texts = " ".join(one.split()), " ".join(other.split())
    if max(map(len, texts)) <= length:
        return texts
    a, b = (_Line(text, [found.span() for found in _TOKEN.finditer(text)]) for text in texts)
    wanted = _wanted(a, b, length)
    if not wanted:
        return shortened(one, length), shortened(other, length)
    shown = [(0, length // 2)], [(0, length // 2)]
    for gap in wanted:
        longer = _merged([*shown[0], a.window(gap.one)]), _merged([*shown[1], b.window(gap.other)])
        if any(sum(end - start + len(BETWEEN) for start, end in each) > length for each in longer):
            break
        shown = longer
    return _rendered(a.text, shown[0]), _rendered(b.text, shown[1])


def _wanted(a: _Line, b: _Line, length: int) -> list[Gap]:
    """Return the differences that the beginnings do not show and a reader needs, the most telling first."""

    def is_beyond(gap: Gap, limit: int) -> bool:
        return max(a.span(gap.one)[1], b.span(gap.other)[1]) >= limit

    words = [[line.text[start:end] for start, end in line.spans] for line in (a, b)]
    found = gaps(*words)
    language = language_of_pair(a.text, b.text)
    telling = [
        gap for gap in found if _telling(a.words(gap.one), language) != _telling(b.words(gap.other), language)
    ]
    is_same_so_far = all(is_beyond(gap, length - 1) for gap in found)
    chosen = [*telling, *(gap for gap in found if gap not in telling)] if is_same_so_far else telling
    if not any(is_beyond(gap, length - 1) for gap in chosen):
        return []
    return [gap for gap in chosen if is_beyond(gap, length // 2)]


def _telling(text: str, language: str | None) -> frozenset[str]:
    words = reading_of(text, language).words
    return frozenset(word.key for word in words if word.kind in TELLING or word.is_capital)


def _merged(spans: Spans) -> Spans:
    """Return the spans in order, with those that meet as one."""
    merged: Spans = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _rendered(text: str, spans: Spans) -> str:
    shown = BETWEEN.join(text[start:end].strip() for start, end in spans)
    return shown if spans[-1][1] >= len(text) else f"{shown} …"
