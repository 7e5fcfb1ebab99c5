"""Many texts cut to a budget of tokens, in a time that does not grow with their length.

Texts are counted as they are sent: as JSON in its fence, where a quote or a `<` is more than one character.
"""

from collections.abc import Sequence
from typing import Final, TypeVar

from gather_contracts.items import GatherItem
from gather_worker.prompts import fence
from gather_worker.prompts.tokens import count_tokens
from gather_worker.text_cleaning import shortened

NOTE_TOKENS: Final = 150
"""100 words: a note is asked to have at most twice that, and its point stands in its first half."""
SUMMARY_TOKENS: Final = 40
NOTE_TOKENS_MIN: Final = 20
"""Below this a note says nothing; then some notes are left out instead, evenly."""
CHARS_PER_TOKEN_MAX: Final = 10
"""No text of words has longer tokens on average; what lies beyond the limit is not even counted."""
ENTRY_TOKENS: Final = 3
"""Around an entry of a list: comma, line break and indentation."""
ENTRY_TOKENS_MIN: Final = 6
"""No text has fewer."""

T = TypeVar("T")


def entry_tokens(text: str) -> int:
    """Return the tokens of the text as an entry of a fenced list."""
    return count_tokens(fence(text)) + ENTRY_TOKENS


def cut_to_tokens(text: str, tokens: float) -> str:
    """Return the text in one line of at most so many tokens, its end replaced by "…" where it is longer."""
    line = shortened(text, round(tokens * CHARS_PER_TOKEN_MAX))
    while (counted := entry_tokens(line)) > tokens and len(line) > 1:
        # A tenth at least, so that texts whose beginning is dense end soon too.
        line = shortened(line, max(1, min(int(len(line) * tokens / counted), len(line) * 9 // 10)))
    return line


def thinned(entries: Sequence[T], count: int) -> list[T]:
    """Return so many of the entries, taken evenly from the first to the last; all if there are fewer."""
    if len(entries) <= count:
        return list(entries)
    return [entries[(place * len(entries) + len(entries) // 2) // count] for place in range(count)]


def truncate_texts(texts: Sequence[str], budget_tokens: float) -> list[str]:
    """Return the texts, the longer ones cut so that all together stay within the budget.

    Where even `NOTE_TOKENS_MIN` a text is too much, some are left out, evenly.
    """
    # Before anything is counted, no more are left than can be within the budget.
    least = sum(
        max(ENTRY_TOKENS_MIN, min(NOTE_TOKENS_MIN, len(text) / CHARS_PER_TOKEN_MAX)) for text in texts
    )
    possible = thinned(texts, int(len(texts) * budget_tokens / least)) if least > budget_tokens else texts
    kept = [cut_to_tokens(text, NOTE_TOKENS) for text in possible]
    while (limit := _level(kept, budget_tokens)) < NOTE_TOKENS_MIN and len(kept) > 1:
        kept = thinned(kept, max(1, len(kept) * 9 // 10))
    return [cut_to_tokens(text, limit) for text in kept]


def _level(texts: Sequence[str], budget_tokens: float) -> float:
    """Return the tokens that no text may exceed for all together to be within the budget."""
    left = budget_tokens
    for place, tokens in enumerate(sorted(map(entry_tokens, texts))):
        share = left / (len(texts) - place)
        if tokens > share:
            return share
        left -= tokens
    return NOTE_TOKENS


def truncate_items(items: Sequence[GatherItem], budget_tokens: float) -> list[str]:
    """Return the items' texts in their order: the newest whole, those before them by their summaries.

    `items` stand oldest first. Where not even all summaries fit, some are left out, evenly.
    """
    kept = thinned(items, int(budget_tokens / NOTE_TOKENS_MIN))
    while (total := sum(entry_tokens(_brief(item)) for item in kept)) > budget_tokens:
        kept = thinned(kept, min(len(kept) - 1, int(len(kept) * budget_tokens / total)))
    texts = [_brief(item) for item in kept]
    left = budget_tokens - sum(map(entry_tokens, texts))
    for place in range(len(kept) - 1, -1, -1):
        whole = cut_to_tokens(kept[place].content, NOTE_TOKENS)
        left -= entry_tokens(whole) - entry_tokens(texts[place])
        if left < 0:
            break
        texts[place] = whole
    return texts


def _brief(item: GatherItem) -> str:
    return cut_to_tokens(item.summary or item.content, SUMMARY_TOKENS)
