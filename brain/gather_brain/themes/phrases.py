"""Themes of departments without a model call: counted, weighted, reranked and made distinct; pure.

Phrases of one to three words are taken from each node once, when it is written; reading adds them up, so
that a request never parses texts. Departments are classes: a phrase is a candidate when many of a
department's nodes use it and few of the others' do. Candidates are then ranked by how near they are to the
department's centre, and chosen one by one so that each says something that those before it do not.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from gather_brain.vectors import Matrix
from gather_brain.words import STOP_WORDS, stem, words

PHRASE_WORDS_MAX: Final = 3
TERMS_PER_NODE_MAX: Final = 96
"""An item of 110 words has about 60 different phrases without stop words at their ends."""
THEMES_MAX: Final = 8
THEME_NODES_MIN: Final = 2
"""A phrase of one node alone is a detail, not a theme, where the department has several nodes."""
PHRASE_BONUS: Final = 1.35
"""Longer phrases say more ("dark aesthetic" over "dark") but are rarer; one factor a word makes up for it."""
TERM_CHARACTERS_MAX: Final = 64
COUNTED_MAX: Final = 512
"""Phrases kept of one department: what others use less than all of these distinguishes nothing."""
SHORTLIST_MAX: Final = 48
"""Phrases of one department that may become its themes, for any departments it is compared with."""
CANDIDATES_MAX: Final = 20
"""Phrases that are ranked by their vectors: two and a half for each theme, 0.1 s of embedding where five
departments' are all new."""
VARIETY: Final = 0.3
"""What likeness to the themes before weighs, against 0.7 for relevance (the lambda with which Carbonell and
Goldstein 1998, doi 10.1145/290941.291025, stay on a subject; 0.3 is theirs for surveying a field)."""
NEAR_IDENTICAL: Final = 0.8
"""Cosine from which two phrases are one theme: "final mix" and "final mixes" have 0.94, "sea" and "ocean"
0.87, "mourning" and "grief" 0.75, "dialogue recording" and "wild recording" 0.57 with the default model."""
VAGUE_WORDS: Final = frozenset(
    re.findall(
        r"\S+",
        """
        two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty hundred
        thousand half third dozen several none nobody everybody everyone anybody someone somebody
        far around behind across along beside inside outside beyond later earlier soon already ago today
        seem seems look looks want wants find finds found say says said tell tells told ask asks asked
        turn turns take taken bring brings
        """,
    )
)
"""No stop words elsewhere, but in no theme of any film."""
ADJECTIVES: Final = frozenset(
    re.findall(r"\S+", "big small long short low high good bad real main whole next full new old second")
)
"""They say something only before a noun: "old harbour", not "old"."""
NO_THEME: Final = STOP_WORDS | VAGUE_WORDS
CLAUSE_END: Final = re.compile(r"[^\w\s'’-]+")  # noqa: RUF001 - both apostrophes are meant


def phrases(text: str) -> list[str]:
    """Return the text's different phrases of 1 to 3 words, in the order of their first use.

    No phrase holds a stop word, a vague word, a number or a single letter, ends with a mere adjective,
    or goes across punctuation.
    """
    found: dict[str, None] = {}
    for run in (run for clause in CLAUSE_END.split(text) for run in _runs(words(clause))):
        for size in range(1, PHRASE_WORDS_MAX + 1):
            for start in range(len(run) - size + 1):
                phrase = " ".join(run[start : start + size])
                if len(phrase) <= TERM_CHARACTERS_MAX and run[start + size - 1] not in ADJECTIVES:
                    found.setdefault(phrase)
    return list(found)[:TERMS_PER_NODE_MAX]


def _runs(tokens: Iterable[str]) -> list[list[str]]:
    """Split at words that cannot be in a theme."""
    runs: list[list[str]] = [[]]
    for token in tokens:
        if len(token) > 2 and not token[0].isdigit() and token not in NO_THEME:  # noqa: PLR2004
            runs[-1].append(token.removesuffix("'s"))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


@dataclass(frozen=True)
class PhraseCounts:
    """How many of a department's nodes use a phrase: `uses` of the most used, `total` over all phrases."""

    uses: Mapping[str, int]
    total: int

    @cached_property
    def shortlist(self) -> list[str]:
        """The phrases that may become themes, the most used first; longer ones count for more."""
        ranked = sorted((-uses * _bonus(phrase), phrase) for phrase, uses in self.uses.items())
        return [phrase for _, phrase in ranked[:SHORTLIST_MAX]]


def counted(terms_of_nodes: Sequence[Sequence[str]]) -> PhraseCounts:
    """Count the nodes that use each phrase; the order of nodes does not matter."""
    uses = Counter(term for terms in terms_of_nodes for term in set(terms))
    needed = THEME_NODES_MIN if len(terms_of_nodes) > THEME_NODES_MIN else 1
    kept = sorted((phrase for phrase in uses if uses[phrase] >= needed), key=lambda each: (-uses[each], each))
    return PhraseCounts({phrase: uses[phrase] for phrase in kept[:COUNTED_MAX]}, uses.total())


def candidates(departments: Mapping[str, PhraseCounts]) -> dict[str, dict[str, float]]:
    """Return the weight of each department's candidate phrases, the heaviest first.

    Source: class-based TF-IDF as in BERTopic (Grootendorst 2022, arXiv 2203.05794), tf * log(1 + A / f), here
    with the number of nodes that use a phrase as tf and f, so that one talkative node makes no theme.
    """
    average = sum(counts.total for counts in departments.values()) / max(len(departments), 1)
    found: dict[str, dict[str, float]] = {}
    for name, counts in departments.items():
        weights = {}
        for phrase in counts.shortlist:
            everywhere = sum(other.uses.get(phrase, 0) for other in departments.values())
            weights[phrase] = counts.uses[phrase] * math.log(1 + average / everywhere) * _bonus(phrase)
        ranked = sorted(weights.items(), key=lambda pair: (-pair[1], pair[0]))
        found[name] = dict(ranked[:CANDIDATES_MAX])
    return found


_BONUS: Final = [PHRASE_BONUS**spaces for spaces in range(TERM_CHARACTERS_MAX)]


def _bonus(phrase: str) -> float:
    return _BONUS[phrase.count(" ")]


def chosen(
    weights: Mapping[str, float], vectors: Matrix, centre: Matrix, limit: int = THEMES_MAX
) -> list[str]:
    """Return the themes among candidate phrases, the best first.

    `vectors` has one unit row for each phrase, in their order; `centre` is the department's unit vector (d,).
    A phrase's relevance is its cosine with the centre times the root of its weight, each as a share of the
    largest; maximal marginal relevance then chooses, and skips what a theme says already.
    """
    phrases_left = list(weights)
    if not phrases_left:
        return []
    shares = np.array(list(weights.values()), np.float64)
    near = np.clip(vectors @ centre, 0.0, None)
    relevance = np.sqrt(shares / shares.max()) * (near / near.max() if near.max() > 0 else 1.0)
    likeness = (vectors @ vectors.T).tolist()
    worth = [(1 - VARIETY) * each for each in relevance.tolist()]
    overlap = [0.0] * len(phrases_left)
    stems = [_stems(phrase) for phrase in phrases_left]
    taken: list[int] = []
    left = sorted(range(len(phrases_left)), key=lambda index: phrases_left[index])
    while left and len(taken) < limit:
        # Rounded, so that sums that differ in their last bit alone cannot change which theme goes first.
        best = max(left, key=lambda index: round(worth[index] - VARIETY * overlap[index], 5))
        taken.append(best)
        alike = likeness[best]
        left = [
            index
            for index in left
            if alike[index] < NEAR_IDENTICAL and not _is_inside(stems[index], stems[best]) and index != best
        ]
        for index in left:
            overlap[index] = alike[index] if len(taken) == 1 else max(overlap[index], alike[index])
    return [phrases_left[index] for index in taken]


def is_part(one: str, other: str) -> bool:
    """Return whether the words of one phrase are all in the other ("noir" beside "noir lighting")."""
    return _is_inside(_stems(one), _stems(other))


def _stems(phrase: str) -> frozenset[str]:
    return frozenset(stem(word) for word in phrase.split())


def _is_inside(these: frozenset[str], those: frozenset[str]) -> bool:
    return these <= those or those <= these
