"""Which notes a judge is shown, and in which order: only the notes' own words may sway it; pure.

Models favour what stands first or last, so the order in which notes were written must not reach them.
Several readings of the same notes get different orders, so that the median of their verdicts depends on none.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gather_worker.duplicates.word_overlap import copy_key


@dataclass(frozen=True, slots=True)
class Judged:
    """The notes to judge, without copies."""

    texts: tuple[str, ...]
    distinct_share: float
    """Share of all notes that are left, 0-1."""


def without_copies(texts: Sequence[str]) -> Judged:
    """Return one of the texts that are the same but for case, spacing and punctuation, whatever their order.

    A judge that never sees a copy cannot be swayed by it; the copies' share lowers coherence instead.
    """
    groups: dict[str, list[str]] = {}
    for text in texts:
        groups.setdefault(copy_key(text), []).append(text)
    # A copy in one case alone does not take the place of the note itself.
    kept = tuple(
        min(group, key=lambda text: (text.islower() or text.isupper(), text)) for group in groups.values()
    )
    return Judged(kept, len(kept) / len(texts) if texts else 1.0)


def neutral_order(texts: Iterable[str], reading: int) -> list[str]:
    """Return the texts in an order that follows from their words and the reading's number alone."""

    def place(text: str) -> bytes:
        return hashlib.sha256(f"{reading}\0{text}".encode("utf-8", "replace")).digest()

    return sorted(texts, key=lambda text: (place(text), text))
