"""A long text shortened by what it says: its first sentence and those that speak of what all of it is about.

SumBasic (Nenkova and Vanderwende, 2005): a sentence counts for the mean frequency of its words in the text,
and a word that was said counts less from then on. It knows no language and calls no model.
"""

import itertools
import re
from collections import Counter
from functools import lru_cache
from typing import Final

from gather_worker.prompts.tokens import count_tokens
from gather_worker.prompts.truncation import cut_to_tokens, entry_tokens

READ_CHARS: Final = 20_000
"""3,000 words; a note that says what matters later than that is cut."""
SENTENCES_MAX: Final = 300
REMEMBERED: Final = 500
GAP: Final = " … "
GAP_TOKENS: Final = 2

_SENTENCE_END: Final = re.compile(r"(?<=[.!?…])\s+|(?<=[\u3002\uff01\uff1f])|\n+")
_WORD: Final = re.compile(r"\w{4,}|[\u3040-\u30ff\u4e00-\u9fff]{2}")
"""Shorter ones say little in most languages; in Chinese and Japanese, which have no spaces, pairs."""


@lru_cache(maxsize=REMEMBERED)
def condensed(text: str, tokens: float) -> str:
    """Return the text in one line of at most so many tokens, with the sentences that say most of it."""
    line = " ".join(text.split())
    if len(line) <= READ_CHARS and entry_tokens(line) <= tokens:
        return line
    sentences = [" ".join(part.split()) for part in _SENTENCE_END.split(text[:READ_CHARS])]
    # What is said again in the same words is said once.
    sentences = [sentence for sentence in dict.fromkeys(sentences) if sentence][:SENTENCES_MAX]
    if len(sentences) < 2:  # noqa: PLR2004 - nothing to choose from
        return cut_to_tokens(line, tokens)
    return cut_to_tokens(_joined(sentences, _chosen(sentences, tokens)), tokens)


def _chosen(sentences: list[str], tokens: float) -> list[int]:
    """Return the places of the sentences to keep, in their order."""
    words = [_WORD.findall(sentence.lower()) for sentence in sentences]
    counted = Counter(word for found in words for word in found)
    total = max(1, counted.total())
    weights = {word: count / total for word, count in counted.items()}
    costs = [count_tokens(sentence) + GAP_TOKENS for sentence in sentences]
    chosen, left, best = [0], tokens - costs[0], 0
    rest = set(range(1, len(sentences)))
    while rest:
        for word in set(words[best]):
            weights[word] **= 2
        rest = {place for place in rest if costs[place] <= left and words[place]}
        if not rest:
            break
        best = max(rest, key=lambda place: (_mean(words[place], weights), -place))
        rest.remove(best)
        chosen.append(best)
        left -= costs[best]
    return sorted(chosen)


def _mean(words: list[str], weights: dict[str, float]) -> float:
    return sum(weights[word] for word in words) / len(words)


def _joined(sentences: list[str], places: list[int]) -> str:
    parts = [sentences[places[0]]]
    for before, place in itertools.pairwise(places):
        parts.append(" " if place == before + 1 else GAP)
        parts.append(sentences[place])
    is_whole_end = places[-1] == len(sentences) - 1
    return "".join(parts) + ("" if is_whole_end else GAP.rstrip())
