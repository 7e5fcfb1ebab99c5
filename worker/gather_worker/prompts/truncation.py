"""Many texts cut to a budget of tokens, in a time that does not grow with their length.

Texts are counted as they are sent: as JSON in its fence, where a quote or a `<` is more than one character.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from gather_clients.notes.note import Note
from gather_contracts.text_cleaning import shortened
from gather_worker.prompts import fence
from gather_worker.prompts.tokens import count_tokens

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

SHARES_MAX: Final = 10
"""Times its equal share that a text is counted to, where it may have more than `NOTE_TOKENS`."""

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


def first_lines(lines: Iterable[str], budget_tokens: float) -> list[str]:
    """Return the first lines that fit, the last of them cut if need be."""
    kept, left = list[str](), budget_tokens
    for line in lines:
        if left < NOTE_TOKENS_MIN:
            break
        kept.append(cut_to_tokens(line, left))
        left -= entry_tokens(kept[-1])
    return kept


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A note's text as a prompt shows it; `note_id` is empty for what no single note says."""

    text: str
    note_id: str = ""


Cut = Callable[[str, float], str]


def truncate_texts(texts: Sequence[str], budget_tokens: float) -> list[str]:
    """Return the texts, the longer ones cut so that all together stay within the budget.

    Where even `NOTE_TOKENS_MIN` a text is too much, some are left out, evenly.
    """
    return [each.text for each in truncate_excerpts([Excerpt(text) for text in texts], budget_tokens)]


def truncate_excerpts(
    excerpts: Sequence[Excerpt],
    budget_tokens: float,
    *,
    note_tokens: float = NOTE_TOKENS,
    cut: Cut = cut_to_tokens,
) -> list[Excerpt]:
    """Return the same of excerpts; none gets more than `note_tokens`, and `cut` shortens longer ones."""
    kept = _possible(excerpts, budget_tokens)
    # What lies beyond is not counted: among 150 notes the longest gets ten times its share at most.
    most = min(note_tokens, max(NOTE_TOKENS_MIN, SHARES_MAX * budget_tokens / max(1, len(kept))))
    sizes = [entry_tokens(cut_to_tokens(each.text, most)) for each in kept]
    while (limit := _level(sizes, budget_tokens, most)) < NOTE_TOKENS_MIN and len(kept) > 1:
        fewer = max(1, len(kept) * 9 // 10)
        kept, sizes = thinned(kept, fewer), thinned(sizes, fewer)
    return [Excerpt(cut(each.text, limit), each.note_id) for each in kept]


def _possible(excerpts: Sequence[Excerpt], budget_tokens: float) -> list[Excerpt]:
    """Return no more of the texts, evenly, than can be within the budget, before anything is counted."""
    least = [
        max(ENTRY_TOKENS_MIN, min(NOTE_TOKENS_MIN, len(each.text) / CHARS_PER_TOKEN_MAX)) for each in excerpts
    ]
    total = sum(least)
    if total <= budget_tokens:
        return list(excerpts)
    return thinned(excerpts, int(len(excerpts) * budget_tokens / total))


def _level(sizes: Sequence[int], budget_tokens: float, most: float) -> float:
    """Return the tokens that no text may exceed for all together to be within the budget."""
    left = budget_tokens
    for place, tokens in enumerate(sorted(sizes)):
        share = left / (len(sizes) - place)
        if tokens > share:
            return share
        left -= tokens
    return most


def truncate_items(notes: Sequence[Note], budget_tokens: float) -> list[Excerpt]:
    """Return the notes in their order: the newest whole, those before them by their summaries.

    `notes` stand oldest first. Where not even all summaries fit, some are left out, evenly.
    """
    kept = _fitting(notes, budget_tokens)
    texts = [_brief(note) for note in kept]
    left = budget_tokens - sum(map(entry_tokens, texts))
    for place in range(len(kept) - 1, -1, -1):
        whole = cut_to_tokens(kept[place].content, NOTE_TOKENS)
        left -= entry_tokens(whole) - entry_tokens(texts[place])
        if left < 0:
            break
        texts[place] = whole
    return [Excerpt(text, note.id) for text, note in zip(texts, kept, strict=True)]


def _brief(note: Note) -> str:
    return cut_to_tokens(note.summary or note.content, SUMMARY_TOKENS)


def _fitting(notes: Sequence[Note], budget_tokens: float) -> list[Note]:
    """Return as many of the notes, evenly, as fit by their summaries."""
    kept = thinned(notes, int(budget_tokens / NOTE_TOKENS_MIN))
    while (total := sum(entry_tokens(_brief(note)) for note in kept)) > budget_tokens:
        kept = thinned(kept, min(len(kept) - 1, int(len(kept) * budget_tokens / total)))
    return kept
