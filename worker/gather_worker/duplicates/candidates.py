"""Which of the new notes say nothing new; pure: the answers of brain and model are passed in.

Stages of rising cost: equal texts (hash), then pairs that may be duplicates (the brain's nearest saved notes,
saved notes of nearly the same words, the new notes among each other), decided by a rule (`rules.py`), and by
the model where the rule is unsure. A note that is already saved is never dropped for a new one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from functools import lru_cache
from itertools import combinations
from typing import Final, Protocol

from gather_contracts.brain import Duplicate
from gather_worker.duplicates.clusters import clusters
from gather_worker.duplicates.word_overlap import copy_key, overlap, word_set

NEIGHBOURS: Final = 5
NEIGHBOUR_COSINE_MIN: Final = 0.40
"""Further apart are 2.6 % of the duplicates in PAN and 0.1 % of those in STS-B (all-MiniLM-L6-v2-w8a8)."""
WORDS_LOW: Final = 0.60
WORDS_HIGH: Final = 0.85
"""Jaccard of the words, the same for all embedding models. At .85 a note of 60 words differs in five; two
notes on one aspect of one film share up to .35."""
OWN_COMPARED_MAX: Final = 1000
"""The department's newest notes, whose words are compared; the brain compares with all."""
JUDGED_CHARS: Final = 500
"""The requirements' length for comparing; of longer texts the excerpts show where they differ."""
JUDGED_PAIRS_MAX: Final = 20


class Draft(Protocol):
    """A new note, as the model wrote it."""

    @property
    def content(self) -> str:
        """Return its text."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A new note and what it may repeat: a saved text, or an earlier new note (`other_slot`).

    `cosine` is raw, 0 to 1; None until the brain has given it.
    """

    slot: int
    text: str
    other: str
    other_slot: int | None = None
    cosine: float | None = None


class Verdict(Enum):
    """What a probability says of a pair."""

    DUPLICATE = "duplicate"
    UNSURE = "unsure"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a rule says of a pair."""

    verdict: Verdict
    is_duplicate: bool
    """What counts where nobody judges an unsure pair."""
    likeness: float
    """0 to 1; of the unsure pairs the most alike are judged first."""


Rule = Callable[[Pair], Opinion]


class DecidedBy(StrEnum):
    """Who says that two texts are the same."""

    EQUAL_WORDS = "equal words"
    RULE = "rule"
    """The calibration or the threshold; without a cosine, the words that both have."""
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Repeat:
    """What a dropped note says again."""

    text: str
    slot: int | None
    """Of another new note; None: it is a saved one."""
    cosine: float | None
    decided_by: DecidedBy


@dataclass(slots=True)
class Findings:
    """What is known so far of one batch; slots are places in it, from 0."""

    known: set[int] = field(default_factory=set)
    """Repeat a saved note."""
    same: set[tuple[int, int]] = field(default_factory=set)
    """Repeat each other, the earlier first."""
    pairs: list[tuple[Pair, DecidedBy]] = field(default_factory=list, compare=False)
    """All that was found, in its order."""

    def add(self, pair: Pair, decided_by: DecidedBy = DecidedBy.RULE) -> None:
        """Note that the pair's texts say the same."""
        self.pairs.append((pair, decided_by))
        if pair.other_slot is None:
            self.known.add(pair.slot)
        else:
            self.same.add((pair.other_slot, pair.slot))

    def matters(self, pair: Pair) -> bool:
        """Return whether it still makes a difference if the pair is a duplicate."""
        return not {pair.slot, pair.other_slot} & self.known


def find_copies(drafts: Sequence[Draft], saved_keys: Iterable[str]) -> Findings:
    """Find the notes whose text is that of a saved note, in any department, or of another new one.

    `saved_keys` are of the saved notes, by `copy_key`.
    """
    saved, last_of, findings = frozenset(saved_keys), dict[str, int](), Findings()
    for slot, draft in enumerate(drafts):
        key = copy_key(draft.content)
        if key in saved:
            findings.add(Pair(slot, draft.content, draft.content), DecidedBy.EQUAL_WORDS)
        elif key in last_of:
            earlier = last_of[key]
            pair = Pair(slot, draft.content, drafts[earlier].content, earlier)
            findings.add(pair, DecidedBy.EQUAL_WORDS)
        last_of[key] = slot
    return findings


def open_slots(count: int, findings: Findings) -> list[int]:
    """Return the slots that are still to be compared: no copies; of new notes of one text the last."""
    gone = findings.known | {earlier for earlier, _ in findings.same}
    return [slot for slot in range(count) if slot not in gone]


def pairs_among(drafts: Sequence[Draft], slots: Sequence[int]) -> list[Pair]:
    """Return each two of the new notes."""
    return [
        Pair(later, drafts[later].content, drafts[earlier].content, earlier)
        for earlier, later in combinations(slots, 2)
    ]


def pairs_by_words(drafts: Sequence[Draft], slots: Sequence[int], own_texts: Sequence[str]) -> list[Pair]:
    """Return each new note with the saved one of the department whose words are most like its own, if they
    are like it at all.

    The brain may be unavailable, or may not have the saved note yet.
    """
    saved = [(_words(text), text) for text in own_texts[-OWN_COMPARED_MAX:]]
    pairs = []
    for slot in slots:
        words = word_set(drafts[slot].content)
        likeness, text = max(((overlap(words, other), text) for other, text in saved), default=(0.0, ""))
        if likeness >= WORDS_LOW:
            pairs.append(Pair(slot, drafts[slot].content, text))
    return pairs


@lru_cache(maxsize=OWN_COMPARED_MAX + 100)
def _words(text: str) -> frozenset[str]:
    """Return the words of a saved note, which is compared in every iteration; 7 KB each."""
    return word_set(text)


def pairs_by_meaning(
    drafts: Sequence[Draft], slots: Sequence[int], neighbours: Sequence[Sequence[Duplicate]]
) -> list[Pair]:
    """Return each new note with the saved ones that the brain found near it, a list of them for each slot."""
    return [
        Pair(slot, drafts[slot].content, each.content, cosine=each.similarity)
        for slot, found in zip(slots, neighbours, strict=True)
        for each in found
    ]


def without_repeats(pairs: Iterable[Pair]) -> list[Pair]:
    """Return the pairs, of two of the same texts the first."""
    first: dict[tuple[int, int | None, str], Pair] = {}
    for pair in pairs:
        first.setdefault((pair.slot, pair.other_slot, pair.other), pair)
    return list(first.values())


def with_cosines(pairs: Sequence[Pair], cosines: Mapping[tuple[str, str], float]) -> list[Pair]:
    """Return the pairs with what the brain said of those that had no cosine, by their texts."""
    return [
        replace(pair, cosine=cosines.get((pair.text, pair.other))) if pair.cosine is None else pair
        for pair in pairs
    ]


def decide(findings: Findings, pairs: Iterable[Pair], rule: Rule) -> list[tuple[Pair, Opinion]]:
    """Add what the rule is sure of; return what it is unsure of and still matters, most alike first."""
    opinions = [(pair, rule(pair)) for pair in pairs]
    for pair, opinion in opinions:
        if opinion.verdict is Verdict.DUPLICATE:
            findings.add(pair)
    unsure = [
        (pair, opinion)
        for pair, opinion in opinions
        if opinion.verdict is Verdict.UNSURE and findings.matters(pair)
    ]
    return sorted(unsure, key=lambda each: -each[1].likeness)


def survivors(count: int, findings: Findings) -> list[int]:
    """Return the slots to keep, in order: one of each cluster, the last; none that repeats a saved note."""
    new = (group for group in clusters(count, findings.same) if findings.known.isdisjoint(group))
    return sorted(map(max, new))


def repeated(slot: int, findings: Findings) -> Repeat:
    """Return what a dropped note says again, a saved note before a new one."""
    own = [(pair, by) for pair, by in findings.pairs if slot in {pair.slot, pair.other_slot}]
    pair, by = min(own, key=lambda each: each[0].other_slot is not None)
    if pair.slot == slot:
        return Repeat(pair.other, pair.other_slot, pair.cosine, by)
    return Repeat(pair.text, pair.slot, pair.cosine, by)
