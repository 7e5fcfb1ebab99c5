"""The stages together, with a brain and a model that answer from a script."""

import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_clients.notes.note import Note
from gather_contracts.brain import Duplicate
from gather_worker.duplicates.calibration import Calibration, Decision, MadeOn, Tree
from gather_worker.duplicates.candidates import JUDGED_CHARS, JUDGED_PAIRS_MAX, Pair, Verdict
from gather_worker.duplicates.features import FEATURES
from gather_worker.duplicates.rules import CalibratedRule, FlatRule, by_words, rule_for
from gather_worker.errors import BrainUnusable, ModelUnavailable
from gather_worker.prompts import Prompt
from gather_worker.schemas import Draft, PairVerdict, PairVerdicts
from gather_worker.steps.deduplicating import VERDICTS_KEPT, Choice, Deduplicator, verdict_key
from tests.support.fakes import FakeVerdictCache

PROJECT = "a" * 24
WORDS = (
    "keeper",
    "lamp",
    "storm",
    "ferry",
    "ledger",
    "harbour",
    "whistle",
    "nets",
    "pier",
    "fog",
    "rope",
    "gull",
)


def calibration(model: str = "mini") -> Calibration:
    """Return one tree on the cosine alone: below .7 different, from .8 a duplicate, unsure between."""
    tree = Tree(
        feature=(0, -1, 0, -1, -1),
        cut=(0.7, 0, 0.8, 0, 0),
        left=(1, 0, 3, 0, 0),
        right=(2, 0, 4, 0, 0),
        value=(0, -3, 0, -0.5, 3),
    )
    return Calibration(
        version=1, embedding_model=model, features=FEATURES, base=0, trees=(tree,), cut=0.5, below=1, above=1,
        made_on=MadeOn(sources=("hand",), pairs=1, duplicates=1, at="2026-11-21"),
    )  # fmt: skip


def text(number: int) -> str:
    """Return a note that has few words in common with those of other numbers."""
    letters = "".join(chr(ord("a") + int(digit)) for digit in str(number))
    return " ".join(f"{letters}{word}" for word in WORDS)


def draft(content: str) -> Draft:
    """Return a draft of some content."""
    return Draft(content=content, summary="s", context="c")


def item(number: int, content: str, department: str = "story") -> Note:
    """Return a saved note."""
    return Note(id=f"i{number}", content=content, project_id=PROJECT, department=department)


class FakeBrain:
    """Knows cosines by the two texts; those it does not know are 0."""

    def __init__(self, cosines: Mapping[tuple[str, str], float], saved: Sequence[str] = ()) -> None:
        self.cosines = {frozenset(pair): cosine for pair, cosine in cosines.items()}
        self.saved = saved
        self.model = "mini"
        self.is_away = False
        self.compared = 0

    def _cosine(self, one: str, other: str) -> float:
        return self.cosines.get(frozenset((one, other)), 0.0)

    async def neighbours(self, texts: Sequence[str]) -> list[list[Duplicate]]:
        """Return what is at .5 and above."""
        if self.is_away:
            raise BrainUnusable("away")
        near = [[(self._cosine(each, other), other) for other in self.saved] for each in texts]
        return [
            [Duplicate(node_id="n", similarity=c, content=o, properties={}) for c, o in found if c >= 0.5]
            for found in near
        ]

    async def compare(self, pairs: Sequence[tuple[str, str]]) -> tuple[str, list[float]]:
        """Return the cosines."""
        self.compared += len(pairs)
        return self.model, [self._cosine(one, other) for one, other in pairs]


class FakeModel:
    """Says the same of all pairs, or fails; keeps what it was asked."""

    def __init__(self, says: bool | Exception = True) -> None:
        self.says = says
        self.prompts: list[Prompt] = []

    async def ask(self, _: str, prompt: Prompt, answer: type[PairVerdicts]) -> PairVerdicts:
        """Return a verdict on every pair that there can be."""
        self.prompts.append(prompt)
        if isinstance(self.says, Exception):
            raise self.says
        verdicts = [PairVerdict(pair=place, duplicate=self.says) for place in range(JUDGED_PAIRS_MAX)]
        return answer(verdicts=verdicts)


def finder(brain: Any, model: Any, own: Calibration | None = None) -> Deduplicator:
    """Return a finder with the usual threshold."""
    return Deduplicator(brain, model, "judge", 0.90, own or calibration())


async def test_only_what_the_calibration_is_unsure_of_costs_a_question() -> None:
    """Below the band kept, above it dropped, in it judged."""
    drafts = [draft(text(number)) for number in range(3)]
    saved = [item(number, text(10 + number)) for number in range(3)]
    cosines = dict.fromkeys([(text(0), text(10))], 0.6) | {
        (text(1), text(11)): 0.75,
        (text(2), text(12)): 0.9,
    }
    brain, model = FakeBrain(cosines, [each.content for each in saved]), FakeModel(says=True)
    choice = await finder(brain, model).choose(drafts, saved, "story", {})
    assert choice.kept == [0]
    assert len(model.prompts) == 1
    assert text(11) in model.prompts[0].user
    assert text(12) not in model.prompts[0].user
    assert (choice.counts.near, choice.counts.unsure_pairs, choice.counts.judged_pairs) == (2, 1, 1)


async def test_copies_cost_no_question_at_all() -> None:
    """A batch that is saved already is known by its hashes."""
    saved = [item(number, text(number)) for number in range(5)]
    brain, model = FakeBrain({}), FakeModel()
    brain.is_away = True
    drafts = [draft(each.content.upper()) for each in saved]
    choice = await finder(brain, model).choose(drafts, saved, "sound", {})
    assert (choice.kept, choice.counts.copies, model.prompts) == ([], 5, [])


async def test_the_batch_is_compared_with_itself_by_meaning() -> None:
    """Of two that say the same in other words the later stays."""
    drafts = [draft(text(number)) for number in range(4)]
    brain = FakeBrain({(text(0), text(2)): 0.95})
    choice = await finder(brain, FakeModel()).choose(drafts, [], "story", {})
    assert choice.kept == [1, 2, 3]
    assert brain.compared == 6


async def test_a_verdict_is_paid_for_once() -> None:
    """It is remembered by what the model was shown; other questions are asked."""
    saved = [item(0, text(10))]
    brain = FakeBrain({(text(0), text(10)): 0.75, (text(1), text(10)): 0.75}, [text(10)])
    model = FakeModel(says=True)
    first = await finder(brain, model).choose([draft(text(0))], saved, "story", {})
    again = await finder(brain, model).choose([draft(text(0))], saved, "story", first.verdicts)
    assert (again.kept, len(model.prompts), again.counts.remembered_pairs) == ([], 1, 1)
    other = await finder(brain, model).choose([draft(text(1))], saved, "story", again.verdicts)
    assert (len(model.prompts), len(other.verdicts)) == (2, 2)


async def test_a_bounded_number_of_verdicts_is_remembered() -> None:
    """The newest."""
    saved = [item(0, text(10))]
    brain = FakeBrain({(text(0), text(10)): 0.75}, [text(10)])
    old = {f"key {place}": True for place in range(VERDICTS_KEPT)}
    choice = await finder(brain, FakeModel(says=False)).choose([draft(text(0))], saved, "story", old)
    assert len(choice.verdicts) == VERDICTS_KEPT
    assert list(choice.verdicts.values())[-1] is False
    assert "key 0" not in choice.verdicts


@pytest.mark.parametrize(("cosine", "kept"), [(0.75, [0]), (0.9, [])])
async def test_without_a_verdict_the_cut_decides(cosine: float, kept: list[int]) -> None:
    """The model is unavailable: an unsure pair falls on its side of the calibrated cut."""
    brain = FakeBrain({(text(0), text(10)): cosine}, [text(10)])
    model = FakeModel(says=ModelUnavailable("away"))
    choice = await finder(brain, model).choose([draft(text(0))], [item(0, text(10))], "story", {})
    assert choice.kept == kept
    assert choice.verdicts == {}


TURNED = (f"{text(0)} She opens the door.", f"{text(0)} She does not open the door.")


@pytest.mark.parametrize("is_away", [False, True], ids=["with the brain", "by words alone"])
@pytest.mark.parametrize("own", [calibration(), None], ids=["calibrated", "flat cosine"])
@pytest.mark.parametrize(("says", "kept"), [(True, []), (False, [0]), (ModelUnavailable("away"), [0])])
async def test_a_negated_note_is_for_the_model_however_alike_it_is(
    is_away: bool, own: Calibration | None, says: bool | Exception, kept: list[int]
) -> None:
    """Its verdict counts; without one both notes stay."""
    one, other = TURNED
    brain, model = FakeBrain({(one, other): 0.99}, [other]), FakeModel(says)
    brain.is_away = is_away
    brain.model = "mini" if own else "unheard-of"
    found = Deduplicator(brain, model, "judge", 0.90, own)  # type: ignore[arg-type]
    choice = await found.choose([draft(one)], [item(0, other)], "story", {})
    assert choice.kept == kept
    assert len(model.prompts) == 1


async def test_the_model_sees_where_long_notes_differ() -> None:
    """Their first 500 characters are the same."""
    beginning = " ".join(text(number) for number in range(8))
    one, other = f"{beginning} Ada dies in 1945.", f"{beginning} Ada dies in 1954."
    model = FakeModel(says=False)
    await finder(FakeBrain({(one, other): 0.99}, [other]), model).choose(
        [draft(one)], [item(0, other)], "story", {}
    )
    (prompt,) = model.prompts
    assert "1945" in prompt.user
    assert "1954" in prompt.user


async def test_another_department_finds_what_was_paid_for() -> None:
    """By the content of both notes, while judge and prompt are the same; its checkpoint learns it too."""
    brain = FakeBrain({(text(0), text(10)): 0.75}, [text(10)])
    cache: Any = FakeVerdictCache()

    async def chosen(judge: str) -> tuple[int, Choice]:
        model: Any = FakeModel(says=True)
        found = Deduplicator(brain, model, judge, 0.90, calibration(), cache=cache)  # type: ignore[arg-type]
        choice = await found.choose([draft(text(0))], [item(0, text(10))], "story", {})
        return len(model.prompts), choice

    asked, first = await chosen("judge")
    again, second = await chosen("judge")
    other, _ = await chosen("another judge")
    assert (asked, again, other) == (1, 0, 1)
    assert first.kept == second.kept == []
    assert second.counts.remembered_pairs == 1
    assert second.verdicts == first.verdicts


def test_a_verdict_is_one_on_whole_texts() -> None:
    """What an excerpt leaves out may differ, and who asks in the other order asks something else."""
    beginning, end = (
        " ".join(text(number) for number in range(8)),
        " ".join(text(number) for number in (8, 9)),
    )
    pairs = [
        Pair(0, f"{beginning} red {end}", f"{beginning} blue {end}"),
        Pair(0, f"{beginning} red {end}.", f"{beginning} blue {end}."),
        Pair(0, f"{beginning} blue {end}", f"{beginning} red {end}"),
    ]
    assert len({verdict_key("judge", pair) for pair in pairs}) == 3
    assert verdict_key("judge", pairs[0]) == verdict_key(
        "judge", Pair(4, pairs[0].text, pairs[0].other, 2, 0.7)
    )


async def test_the_model_sees_a_bounded_part_of_the_texts() -> None:
    """And a bounded number of pairs."""
    one, other = f"{text(0)} {'x' * 2 * JUDGED_CHARS}", f"{text(1)} {'y' * 2 * JUDGED_CHARS}"
    numbers = range(2, 12)
    drafts = [draft(one), *(draft(text(number)) for number in numbers)]
    saved = [item(0, other), *(item(number, text(100 + number)) for number in numbers)]
    contents = [each.content for each in saved]
    cosines = {(each.content, content): 0.75 for each in drafts for content in contents}
    model = FakeModel(says=False)
    choice = await finder(FakeBrain(cosines, contents), model).choose(drafts, saved, "story", {})
    assert choice.counts.unsure_pairs == 121
    assert choice.counts.judged_pairs == JUDGED_PAIRS_MAX
    (prompt,) = model.prompts
    assert "x" * (JUDGED_CHARS + 1) not in prompt.user
    assert "y" * (JUDGED_CHARS + 1) not in prompt.user
    assert choice.kept == list(range(11))


async def test_without_the_brain_words_decide(caplog: pytest.LogCaptureFixture) -> None:
    """Nearly equal words are dropped, half alike ones judged; saved notes of other departments are copies
    only.
    """
    base = text(0)
    drafts = [draft(f"{base} more"), draft(" ".join(base.split()[:9])), draft(text(1))]
    brain, model = FakeBrain({}), FakeModel(says=False)
    brain.is_away = True
    with caplog.at_level(logging.WARNING):
        choice = await finder(brain, model).choose(drafts, [item(0, base)], "story", {})
    assert choice.kept == [1, 2]
    assert len(model.prompts) == 1
    assert "the brain is unavailable" in caplog.text
    elsewhere = await finder(brain, model).choose(drafts, [item(0, base, "sound")], "story", {})
    assert 0 in elsewhere.kept


async def test_unknown_embedding_model_logs_once_and_uses_flat_cosine(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The warning names the way out."""
    brain = FakeBrain({(text(0), text(10)): 0.89, (text(1), text(10)): 0.91}, [text(10)])
    brain.model = "unheard-of"
    drafts, saved = [draft(text(0)), draft(text(1))], [item(0, text(10))]
    unknown = Deduplicator(brain, FakeModel(), "judge", 0.90, None)  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert (await unknown.choose(drafts, saved, "story", {})).kept == [0]
    (record,) = caplog.records
    assert "gather-worker calibrate" in record.getMessage()
    assert "unheard-of" in record.getMessage()


def test_ones_own_calibration_goes_before_the_shipped_one(caplog: pytest.LogCaptureFixture) -> None:
    """If it is for the embedding model in use; else that is said."""
    assert isinstance(rule_for("mini", 0.9, calibration()), CalibratedRule)
    with caplog.at_level(logging.WARNING):
        assert isinstance(rule_for("unheard-of", 0.9, calibration()), FlatRule)
    assert "is for embeddings of mini" in caplog.text


def test_a_higher_threshold_wants_surer_drops() -> None:
    """0.90 is the user's setting."""
    pair = Pair(0, text(0), text(1), cosine=0.85)
    assert rule_for("mini", 0.90, calibration())(pair).verdict is Verdict.DUPLICATE
    assert rule_for("mini", 1.0, calibration())(pair).verdict is Verdict.DIFFERENT
    assert rule_for("unheard-of", 0.80, None)(pair).verdict is Verdict.DUPLICATE


def test_a_pair_without_a_cosine_is_decided_by_words() -> None:
    """By any rule."""
    alike = Pair(0, text(0), f"{text(0)} more")
    for rule in (by_words, FlatRule(0.9), CalibratedRule(Decision(calibration()))):
        assert rule(alike).verdict is Verdict.DUPLICATE
        assert rule(Pair(0, text(0), text(1))).verdict is Verdict.DIFFERENT


COSINES = st.sampled_from([0.0, 0.6, 0.75, 0.9])
BATCH, SAVED = range(5), (10, 11)
"""So few that the model is asked about all that is unsure."""


@given(
    cosines=st.lists(COSINES, min_size=20, max_size=20),
    repeats=st.lists(st.sampled_from([*BATCH, *SAVED]), min_size=1, max_size=10),
    says=st.booleans(),
    is_away=st.booleans(),
)
async def test_no_kept_note_is_a_duplicate_and_every_dropped_one_is(
    cosines: list[float], repeats: list[int], says: bool, is_away: bool
) -> None:
    """Each dropped note leads, from duplicate to duplicate, to a saved one or to one that is kept.

    No kept note is a duplicate of a saved or of another kept one; saved notes stay as they are.
    """
    among = [(text(a), text(b)) for a in BATCH for b in range(a)]
    known = dict(zip([*among, *((text(a), text(b)) for a in BATCH for b in SAVED)], cosines, strict=True))
    saved = [item(number, text(number)) for number in SAVED]
    saved_texts = {each.content for each in saved}
    brain = FakeBrain(known, sorted(saved_texts))
    brain.is_away = is_away
    contents = [text(number) for number in repeats]
    choice = await finder(brain, FakeModel(says)).choose(
        [draft(c) for c in contents], list(saved), "story", {}
    )

    def is_duplicate(one: str, other: str) -> bool:
        cosine = 0.0 if is_away else known.get((one, other), known.get((other, one), 0.0))
        return one == other or cosine == 0.9 or (cosine == 0.75 and says)

    kept = [contents[slot] for slot in choice.kept]
    for place, content in enumerate(kept):
        assert not any(is_duplicate(content, other) for other in saved_texts | set(kept[:place]))
    reached = saved_texts | set(kept)
    while new := {c for c in contents if c not in reached and any(is_duplicate(c, r) for r in reached)}:
        reached |= new
    assert set(contents) <= reached
    assert [each.content for each in saved] == [text(number) for number in SAVED]


def test_deciding_needs_nothing_heavy() -> None:
    """The worker's pod decides with trees in plain Python; fitting them is done elsewhere."""
    code = (
        "import sys, gather_worker.steps.deduplicating, gather_worker.steps.pipeline;"
        "print([name for name in ('numpy', 'lightgbm', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
