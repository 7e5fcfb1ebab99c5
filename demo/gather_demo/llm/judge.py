"""Judge texts by simple measures of the texts themselves: whether two say the same, how good several are.

The measures are crude and honest: nothing is made up to please the one who asks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gather_demo.llm.json_text import json_strings
from gather_demo.llm.language_words import any_of, languages
from gather_demo.llm.text_measures import clamp, content_words, cut, likeness, mean, sentences, words

DUPLICATE_LIKENESS: Final = 0.6
"""Two notes share some words of craft by nature (up to 0.35 among the material's); copies keep above 0.7."""

FULL_DETAIL_WORDS: Final = 400
"""Different words of content in the notes of a well-filled department: about fifteen notes."""
FULL_LIKENESS: Final = 0.2
"""Mean share of words that notes of one department have in common when they speak of the same things."""
QUOTES: Final = 2
QUOTE_CHARS: Final = 150
TEXT_WORDS_MIN: Final = 6
"""A shorter quotation in a prompt is a label or an instruction's example, not a text to judge."""

_TAGGED = re.compile(r"<(?P<tag>[A-Za-z][\w-]*)[^>]*>(?P<text>[^<\n]+)</(?P=tag)>")
_MARK_LINE = re.compile(r"^\s*(?:</?[\w-]+>|[^\n]{0,60}:)\s*$", re.MULTILINE)
_PARAGRAPH_END = re.compile(r"\n\s*\n")
_JOB = re.compile(any_of(each.duties for each in languages()))
_LABELLED = re.compile(
    r"^\s*(?:[-*#]+\s*)?(?:\*\*)?(?:(?:text|item|note|candidate|new|existing|first|second|neighbou?r|A|B)"
    r"[\w ()#-]{0,20}?(?:\*\*)?\s*:|\d+[.):])\s*(?P<text>.+)$",
    re.IGNORECASE | re.MULTILINE,
)
_QUOTED = re.compile(r'"{3}(?P<block>.+?)"{3}|[“"](?P<text>[^“”"\n]{30,})[”"]', re.DOTALL)
_NUMBER = re.compile(rf"\d+|{any_of(each.numbers for each in languages())}", re.IGNORECASE)
_ACTION = re.compile(any_of(each.actions for each in languages()), re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rubric:
    """Scores of a set of texts, each 0-100."""

    coverage: float
    depth: float
    coherence: float
    actionability: float


def is_duplicate(one: str, other: str) -> bool:
    """Return whether two texts say the same, as far as their words show it."""
    return likeness(one, other) >= DUPLICATE_LIKENESS


def texts_in(text: str) -> list[str]:
    """Return the texts that a prompt puts up for judgement, in their order, by the first form with several.

    The forms: JSON, `Label: text` lines, `<tag>text</tag>` in one line, its paragraphs, and quotations.
    """
    forms = (
        [string for _, string in json_strings(text) if not _JOB.search(string)],
        [match["text"].strip() for match in _LABELLED.finditer(text)],
        [match["text"].strip() for match in _TAGGED.finditer(text)],
        [part.strip() for part in _PARAGRAPH_END.split(_MARK_LINE.sub("", text)) if not _JOB.search(part)],
        [(match["block"] or match["text"]).strip() for match in _QUOTED.finditer(text)],
    )
    long = [[each for each in form if len(words(each)) >= TEXT_WORDS_MIN] for form in forms]
    return max(long, key=lambda form: min(len(form), 2))


def score(texts: Sequence[str], aspects: Sequence[str]) -> Rubric:
    """Score a set of texts; `aspects` is what they should treat.

    Coverage: share of the aspects that some text names. Depth: half length, numbers and variety
    of words per text, half the different words of all. Coherence: what texts share with the rest, less for
    texts that repeat it. Actionability: share of sentences that tell somebody to do something. Copies
    count once, so that repeating raises nothing.
    """
    distinct = without_copies(texts)
    held = frozenset[str]().union(*map(content_words, distinct))
    return Rubric(
        coverage=100 * mean(float(any(_names(t, aspect) for t in distinct)) for aspect in aspects),
        depth=0.5 * mean(_depth(t) for t in distinct) + 50 * clamp(len(held) / FULL_DETAIL_WORDS, 0, 1),
        coherence=_coherence(distinct, len(texts)),
        actionability=mean(_actionability(t) for t in distinct),
    )


def quotes(texts: Sequence[str], *, is_of_actions: bool = False) -> list[str]:
    """Return sentences out of the texts, word for word: the first of each in which somebody is told to do
    something, or the one with most words of content.
    """
    found: list[str] = []
    for text in texts:
        parts = sentences(text)
        acting = [part for part in parts if _ACTION.search(part)]
        chosen = (
            acting[:1] if is_of_actions else sorted(parts, key=lambda part: -len(content_words(part)))[:1]
        )
        found += [cut(part, QUOTE_CHARS) for part in chosen]
    return found[:QUOTES]


def without_copies(texts: Sequence[str]) -> list[str]:
    """Return the texts without those that say what an earlier one says."""
    kept: list[str] = []
    for text in texts:
        if not any(is_duplicate(text, other) for other in kept):
            kept.append(text)
    return kept


def _names(text: str, aspect: str) -> bool:
    return bool(content_words(aspect)) and content_words(aspect) <= content_words(text)


def _depth(text: str) -> float:
    found = words(text)
    length = clamp(len(found) / 90, 0, 1)
    concrete = clamp(len(_NUMBER.findall(text)) / 3, 0, 1)
    rich = clamp(len(content_words(text)) / 40, 0, 1)
    return 100 * (0.4 * length + 0.2 * concrete + 0.4 * rich)


def _coherence(distinct: Sequence[str], total: int) -> float:
    """Full marks where texts share `FULL_LIKENESS` of their words with others; copies take from it."""
    if not distinct:
        return 0.0
    if len(distinct) == 1:
        return 60.0
    shared = mean(
        mean(likeness(text, other) for j, other in enumerate(distinct) if j != i)
        for i, text in enumerate(distinct)
    )
    return 100 * (0.5 + 0.5 * clamp(shared / FULL_LIKENESS, 0, 1)) * len(distinct) / total


def _actionability(text: str) -> float:
    parts = sentences(text)
    return 100 * clamp(1.4 * mean(float(bool(_ACTION.search(s))) for s in parts), 0, 1)
