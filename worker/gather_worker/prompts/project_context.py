"""What the project as a whole knows of a department's matter, and what a run's focus makes of it; pure.

The nearest notes of any department, of people and of earlier runs stand beside what earlier departments
offer, within the same budget, and none that the prompt shows already.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gather_contracts.text_cleaning import shortened
from gather_worker.duplicates.word_overlap import word_set
from gather_worker.prompts.truncation import (
    NOTE_TOKENS,
    Excerpt,
    cut_to_tokens,
    entry_tokens,
    truncate_excerpts,
)

CONTEXT_TOKENS: Final = 3000
"""Earlier departments and related notes together."""
EARLIER_SHARE: Final = 2 / 3
"""Of it, where there are related notes; what earlier departments leave goes to those."""
FOCUS_TOKENS: Final = 700
"""500 characters of Chinese; in most languages they are half of it. They come out of `CONTEXT_TOKENS`."""
STORED_NOTES: Final = 20
"""Of other departments, the newest: MongoDB's part while the brain is unavailable."""
STEM_MIN: Final = 4
STEM_CHARS: Final = 5
"""Words are forms of one if they begin with the same five letters, or with all of the shorter one's four."""


class Filed(Protocol):
    """A note with its department."""

    @property
    def id(self) -> str:
        """Return the note's id."""

    @property
    def content(self) -> str:
        """Return what it says."""

    @property
    def department(self) -> str:
        """Return its department's slug."""


@dataclass(frozen=True, slots=True)
class ProjectContext:
    """What the prompt shows of the project besides people's notes and the department's own."""

    earlier: dict[str, list[Excerpt]]
    related: list[Excerpt]


def project_context(
    earlier: Mapping[str, Sequence[Excerpt]],
    related: Sequence[Excerpt],
    shown: Sequence[Excerpt],
    focus: str,
    ratio: float,
) -> ProjectContext:
    """Return both parts cut to their budget; of the `related` notes the nearest, which come first.

    `shown` are the notes that stand in the prompt already, perhaps cut or condensed.
    """
    taken = entry_tokens(focus) if focus else 0
    budget = max(0.0, CONTEXT_TOKENS / ratio - taken)
    share = budget * (EARLIER_SHARE if related else 1) / max(1, len(earlier))
    by_department = {slug: truncate_excerpts(notes, share) for slug, notes in earlier.items()}
    lines = [each for notes in by_department.values() for each in notes]
    left = budget - sum(entry_tokens(each.text) for each in lines)
    nearest = unshown(related, [*shown, *lines])[: max(0, math.ceil(left * ratio / NOTE_TOKENS))]
    return ProjectContext(by_department, truncate_excerpts(nearest, left))


def unshown(notes: Iterable[Excerpt], shown: Iterable[Excerpt]) -> list[Excerpt]:
    """Return the notes that are not among the `shown`, by id or by text, each once.

    A text among the `shown` may end early in "…".
    """
    ids, whole, heads = set[str](), set[str](), list[str]()
    for each in shown:
        line = _line(each.text)
        ids.add(each.note_id)
        whole.add(line)
        if line.endswith("…") and len(line) > 1:
            heads.append(line[:-1])
    beginnings = tuple(heads)
    lines = {_line(each.text): each for each in notes if not each.note_id or each.note_id not in ids}
    return [each for line, each in lines.items() if line not in whole and not line.startswith(beginnings)]


def related_from_notes(notes: Sequence[Filed], department: str, previous: Sequence[str]) -> list[Excerpt]:
    """Return the newest notes of departments that `previous` does not name, the newest first."""
    named = {department, *previous}
    others = [Excerpt(note.content, note.id) for note in notes if note.department not in named]
    return others[-STORED_NOTES:][::-1]


def focus_line(focus: str) -> str:
    """Return the run's focus in one line of at most `FOCUS_TOKENS`, "" if there is none."""
    return cut_to_tokens(focus, FOCUS_TOKENS) if focus else ""


def by_focus(gaps: Sequence[str], focus: str) -> list[str]:
    """Return the gaps with those before all others whose aspect shares a word with the focus.

    Words are compared, not meanings: where none is shared, the order stays.
    """
    wanted = _stems(focus)
    return sorted(gaps, key=lambda gap: not _share_a_word(wanted, _stems(gap.partition(":")[0])))


def _stems(text: str) -> set[str]:
    return {word[:STEM_CHARS] for word in word_set(text) if len(word) >= STEM_MIN}


def _share_a_word(ones: set[str], others: set[str]) -> bool:
    return any(one.startswith(other) or other.startswith(one) for one in ones for other in others)


def _line(text: str) -> str:
    return shortened(text, len(text) + 1)
