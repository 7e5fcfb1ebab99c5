"""Themes of departments without a model call: class-based TF-IDF over phrases; pure.

Phrases of one to three words are taken from each node once, when it is written; reading adds them up, so
that a request never parses texts. A department is a class: a phrase is its theme when many of its nodes use
it and few of the other departments' do.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gather_brain.text import STOP_WORDS, words

PHRASE_WORDS_MAX: Final = 3
TERMS_PER_NODE_MAX: Final = 96
"""An item of 110 words has about 60 different phrases without stop words at their ends."""
THEMES_MAX: Final = 8
THEME_NODES_MIN: Final = 2
"""A phrase of one node alone is a detail, not a theme, where the department has several nodes."""
PHRASE_BONUS: Final = 1.35
"""Longer phrases say more ("dark aesthetic" over "dark") but are rarer; one factor a word makes up for it."""
TERM_CHARACTERS_MAX: Final = 64
CLAUSE_END: Final = re.compile(r"[^\w\s'’-]+")  # noqa: RUF001 - both apostrophes are meant


def phrases(text: str) -> list[str]:
    """Return the text's different phrases of 1 to 3 words, in the order of their first use.

    No phrase holds a stop word, a number or a single letter, or goes across punctuation.
    """
    found: dict[str, None] = {}
    for run in (run for clause in CLAUSE_END.split(text) for run in _runs(words(clause))):
        for size in range(1, PHRASE_WORDS_MAX + 1):
            for start in range(len(run) - size + 1):
                phrase = " ".join(run[start : start + size])
                if len(phrase) <= TERM_CHARACTERS_MAX:
                    found.setdefault(phrase)
    return list(found)[:TERMS_PER_NODE_MAX]


def _runs(tokens: Iterable[str]) -> list[list[str]]:
    """Split at words that cannot be in a theme."""
    runs: list[list[str]] = [[]]
    for token in tokens:
        if len(token) > 2 and not token[0].isdigit() and token not in STOP_WORDS:  # noqa: PLR2004
            runs[-1].append(token.removesuffix("'s"))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def key_themes(
    terms_of_nodes: Mapping[str, Sequence[Sequence[str]]], limit: int = THEMES_MAX
) -> dict[str, list[str]]:
    """Return each department's themes, the strongest first.

    `terms_of_nodes` holds, for each department, the phrases of each of its nodes.

    Source: class-based TF-IDF as in BERTopic (Grootendorst 2022, arXiv 2203.05794), tf * log(1 + A / f), here
    with the number of nodes that use a phrase as tf and f, so that one talkative node makes no theme.
    """
    counts = {
        name: Counter(term for terms in nodes for term in set(terms))
        for name, nodes in terms_of_nodes.items()
    }
    everywhere: Counter[str] = Counter()
    for count in counts.values():
        everywhere.update(count)
    average = sum(everywhere.values()) / max(len(counts), 1)
    return {
        name: _strongest(count, everywhere, average, len(terms_of_nodes[name]), limit)
        for name, count in counts.items()
    }


def _strongest(
    count: Counter[str], everywhere: Counter[str], average: float, node_count: int, limit: int
) -> list[str]:
    needed = THEME_NODES_MIN if node_count > THEME_NODES_MIN else 1
    scores = {
        term: uses * math.log(1 + average / everywhere[term]) * PHRASE_BONUS ** term.count(" ")
        for term, uses in count.items()
        if uses >= needed
    }
    chosen: list[str] = []
    for term in sorted(scores, key=lambda term: (-scores[term], term)):
        if not any(_overlap(term, other) for other in chosen):
            chosen.append(term)
        if len(chosen) == limit:
            break
    return chosen


def _overlap(one: str, other: str) -> bool:
    """Tell whether two phrases share a word ("noir" and "noir lighting" are one theme)."""
    return bool(set(one.split()) & set(other.split()))
