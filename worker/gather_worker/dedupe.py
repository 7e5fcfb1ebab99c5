"""Which of the new notes say nothing new; pure: whoever asks the brain and the model passes in what they
said.

Stages of rising cost: equal words (hash), nearly equal words, the brain's nearest neighbours, and for what
lies between the cuts the model. A note that is already saved is never dropped for a new one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gather_contracts.brain import Duplicate
from gather_worker.answers import Draft
from gather_worker.text import overlap, text_hash, word_set

COSINE_LOW: Final = 0.65
"""Below it a note is new without asking. The cut with the best F1 on the PAN pairs for all-MiniLM-L6-v2
(precision .873, recall .851); of 400 pairs of texts about one film that are no duplicates half lie below
.39."""
COSINE_HIGH_DEFAULT: Final = 0.90
"""From it on a note is a duplicate without asking: the requirements' threshold, the user's setting. On PAN
no pair above it was wrong (precision 1.00), and none of the 400 same-film pairs reached it (their maximum:
.81)."""
WORDS_LOW: Final = 0.60
WORDS_HIGH: Final = 0.85
"""Jaccard of the words, the same for all embedding models. At .85 a note of 60 words differs in five; two
notes on one aspect of one film share up to .35."""
NEIGHBOURS: Final = 5
JUDGED_CHARS: Final = 500
"""The requirements' length for comparing; two notes that differ do so before it."""
JUDGED_PAIRS_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Pair:
    """A new note and what it may repeat: a saved text, or another new note (`other_slot`)."""

    slot: int
    text: str
    other: str
    other_slot: int | None = None


@dataclass(slots=True)
class Findings:
    """What is known so far of one batch; slots are places in it, from 0."""

    known: set[int] = field(default_factory=set)
    """Repeat a saved note."""
    same: set[tuple[int, int]] = field(default_factory=set)
    """Repeat each other."""
    unsure: list[Pair] = field(default_factory=list)


def compare_words(drafts: Sequence[Draft], saved_hashes: Iterable[str], own_texts: Sequence[str]) -> Findings:
    """Compare by words: with all the project's hashes, the department's own texts, and each other."""
    findings = Findings()
    hashes = set(saved_hashes)
    words = [word_set(draft.content) for draft in drafts]
    saved_words = [(text, word_set(text)) for text in own_texts]
    for slot, draft in enumerate(drafts):
        if text_hash(draft.content) in hashes:
            findings.known.add(slot)
            continue
        _note_saved(findings, slot, draft, words[slot], saved_words)
        for earlier in range(slot):
            _note_pair(findings, drafts, (earlier, slot), overlap(words[earlier], words[slot]))
    return findings


def _note_saved(
    findings: Findings,
    slot: int,
    draft: Draft,
    words: frozenset[str],
    saved: Sequence[tuple[str, frozenset[str]]],
) -> None:
    likeness, text = max(((overlap(words, other), text) for text, other in saved), default=(0.0, ""))
    if likeness >= WORDS_HIGH:
        findings.known.add(slot)
    elif likeness >= WORDS_LOW:
        findings.unsure.append(Pair(slot, draft.content, text))


def _note_pair(findings: Findings, drafts: Sequence[Draft], slots: tuple[int, int], likeness: float) -> None:
    earlier, later = slots
    one, other = drafts[earlier].content, drafts[later].content
    if likeness >= WORDS_HIGH or text_hash(one) == text_hash(other):
        findings.same.add(slots)
    elif likeness >= WORDS_LOW:
        findings.unsure.append(Pair(later, other, one, earlier))


def compare_meaning(
    findings: Findings,
    drafts: Sequence[Draft],
    neighbours: Sequence[Sequence[Duplicate]],
    high: float = COSINE_HIGH_DEFAULT,
) -> None:
    """Add what the brain's neighbours say; `neighbours` has one list for each draft, `high` is raw cosine."""
    for slot, (draft, found) in enumerate(zip(drafts, neighbours, strict=True)):
        nearest = max(found, key=lambda each: each.similarity, default=None)
        if nearest is None or nearest.similarity < COSINE_LOW:
            continue
        if nearest.similarity >= high:
            findings.known.add(slot)
        elif not any(p.slot == slot and p.other == nearest.content for p in findings.unsure):
            findings.unsure.append(Pair(slot, draft.content, nearest.content))


def pairs_to_judge(findings: Findings) -> list[Pair]:
    """Return the pairs whose verdict can still change something, at most `JUDGED_PAIRS_MAX`."""
    open_pairs = [
        pair
        for pair in findings.unsure
        if pair.slot not in findings.known
        and (pair.other_slot is None or pair.other_slot not in findings.known)
    ]
    return open_pairs[:JUDGED_PAIRS_MAX]


def apply_verdicts(findings: Findings, pairs: Sequence[Pair], verdicts: Mapping[int, bool]) -> None:
    """Add the model's verdicts, by the pair's place; a pair without one is no duplicate.

    Keeping a doubtful note costs a reader a moment, dropping it may cost the film a thought.
    """
    for place, pair in enumerate(pairs):
        if not verdicts.get(place, False):
            continue
        if pair.other_slot is None:
            findings.known.add(pair.slot)
        else:
            findings.same.add((pair.other_slot, pair.slot))


def survivors(count: int, findings: Findings) -> list[int]:
    """Return the slots to keep, in order: one of each cluster, the last; none that repeats a saved note."""
    root = list(range(count))

    def find(slot: int) -> int:
        while root[slot] != slot:
            slot = root[slot]
        return slot

    for one, other in findings.same:
        low, high = sorted((find(one), find(other)))
        root[low] = high
    known_roots = {find(slot) for slot in findings.known}
    return [slot for slot in range(count) if root[slot] == slot and slot not in known_roots]
