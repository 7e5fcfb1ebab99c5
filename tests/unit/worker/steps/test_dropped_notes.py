"""What is said of a note that is dropped: what it repeats, and who says so."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from gather_clients.notes.note import Note
from gather_contracts.brain import Duplicate
from gather_worker.duplicates.candidates import JUDGED_PAIRS_MAX, DecidedBy, Repeat
from gather_worker.errors import BrainUnusable, ModelUnavailable
from gather_worker.prompts import Prompt
from gather_worker.schemas import Draft, PairVerdict, PairVerdicts
from gather_worker.steps.deduplicating import Deduplicator

TEXTS = (
    "The keeper carries oil up the stairs before the storm and finds the lamp already lit by somebody.",
    "Costumes of the fishermen are dyed with bark, so that salt shows on every sleeve.",
    "A whistle from the harbour ends each act, always off screen and never explained.",
    "The ledger is a prop with water stains that grow from scene to scene.",
    "Two boats are rented in the village, and one of them may be scratched.",
)
NEAR = TEXTS[0].replace("somebody", "someone")


class Brain:
    """Knows cosines by the two texts; those that it does not know are 0."""

    def __init__(self, cosines: Mapping[tuple[str, str], float], saved: Sequence[str] = ()) -> None:
        self.cosines = {frozenset(pair): cosine for pair, cosine in cosines.items()}
        self.saved = saved
        self.is_away = False

    async def neighbours(self, texts: Sequence[str]) -> list[list[Duplicate]]:
        """Return what is near."""
        if self.is_away:
            raise BrainUnusable("away")
        return [
            [Duplicate(node_id="n", similarity=c, content=other, properties={}) for other in self.saved
             if (c := self.cosines.get(frozenset((text, other)), 0.0))]
            for text in texts
        ]  # fmt: skip

    async def compare(self, pairs: Sequence[tuple[str, str]]) -> tuple[str, list[float]]:
        """Return the cosines; there is no calibration for the model's name, so that a flat cosine decides."""
        return "unknown", [self.cosines.get(frozenset(pair), 0.0) for pair in pairs]


class Model:
    """Says of every pair that it is a duplicate, or fails."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.fails = fails

    async def ask(self, _: str, __: Prompt, answer: type[PairVerdicts]) -> PairVerdicts:
        """Return a verdict on every pair that there can be."""
        if self.fails:
            raise self.fails
        return answer(verdicts=[PairVerdict(pair=n, duplicate=True) for n in range(JUDGED_PAIRS_MAX)])


def finder(brain: Any, model: Any, *examples: str) -> Deduplicator:
    """Return a finder with the usual threshold."""
    return Deduplicator(brain, model, "judge", 0.90, None, examples=examples)


def draft(content: str) -> Draft:
    """Return a draft of some content."""
    return Draft(content=content, summary="s", context="c")


def saved_notes(*texts: str) -> list[Note]:
    """Return saved notes of the department."""
    return [
        Note(id=f"i{n}", content=text, project_id="a" * 24, department="story")
        for n, text in enumerate(texts)
    ]


async def test_what_a_dropped_note_repeats_is_said_with_who_decided() -> None:
    """By its words, the rule or the model; of two new ones the later stays."""
    half = " ".join(TEXTS[2].split()[:9])
    drafts = [draft(text) for text in (TEXTS[0].upper(), TEXTS[1], half, TEXTS[3], TEXTS[4])]
    saved = saved_notes(TEXTS[0], "Another text of the coast.", TEXTS[2])
    cosines = {(TEXTS[1], saved[1].content): 0.93, (TEXTS[3], TEXTS[4]): 0.95}
    brain = Brain(cosines, [note.content for note in saved])
    choice = await finder(brain, Model()).choose(drafts, saved, "story", {})
    assert choice.kept == [4]
    assert choice.repeats == {
        0: Repeat(TEXTS[0].upper(), None, None, DecidedBy.EQUAL_WORDS),
        1: Repeat(saved[1].content, None, 0.93, DecidedBy.RULE),
        2: Repeat(TEXTS[2], None, 0.0, DecidedBy.MODEL),
        3: Repeat(TEXTS[4], 4, 0.95, DecidedBy.RULE),
    }
    unjudged = await finder(brain, Model(ModelUnavailable("away"))).choose(drafts, saved, "story", {})
    assert (unjudged.kept, 2 in unjudged.repeats) == ([2, 4], False)


@pytest.mark.parametrize("is_away", [False, True], ids=["with the brain", "without"])
async def test_an_example_is_not_written_again(*, is_away: bool) -> None:
    """Neither in its own words nor in nearly the same."""
    brain = Brain({(NEAR, TEXTS[0]): 0.98})
    brain.is_away = is_away
    drafts = [draft(TEXTS[0].title()), draft(NEAR), draft(TEXTS[1])]
    choice = await finder(brain, Model(), TEXTS[0]).choose(drafts, [], "story", {})
    assert choice.kept == [2]
    assert {repeat.slot for repeat in choice.repeats.values()} <= {None, 1}
    untaught = await finder(brain, Model()).choose(drafts[1:], [], "story", {})
    assert untaught.kept == [0, 1]
