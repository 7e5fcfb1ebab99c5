"""What a judge is asked about: the project's sets, and the published ones in their form."""

from pathlib import Path

import pytest

from gather_worker.errors import InvalidInput
from gather_worker.schemas import QualityVerdict
from tests.evals.judge.asking import sampled
from tests.evals.judge.judge_report import parsed
from tests.evals.judge.own_sets import own_sets
from tests.evals.judge.public_sets import public_sets
from tests.evals.judge.questions import Item, LabelledSet, RubricQuestion, YesNoQuestion, YesOrNo
from tests.support.judges.published_labels import write_published

SETS = {each.name: each for each in own_sets()}


@pytest.mark.parametrize("name", [name for name, each in SETS.items() if each.is_absolute])
def test_of_sets_with_yes_and_no_half_are_yes(name: str) -> None:
    """So that a share of yes tells; a sample keeps it."""
    items = SETS[name].items
    assert len(items) >= 16
    assert sum(item.label for item in items) == len(items) / 2
    assert abs(sum(item.label for item in sampled(SETS[name], 9).items) - 4.5) <= 0.5


def test_a_sample_says_yes_as_often_as_the_whole_and_has_both() -> None:
    """Else a share of yes could not be set against what is published of the whole."""
    few = [Item("g", (float(number < 3),), SETS["contradictions"].items[0].question) for number in range(30)]
    some = sampled(LabelledSet("few", "", True, few), 10)
    assert [sum(item.label for item in some.items), len(some.items)] == [2, 10]


@pytest.mark.parametrize("name", [name for name, each in SETS.items() if not each.is_absolute])
def test_of_sets_with_steps_each_group_has_its_whole_and_what_is_worse(name: str) -> None:
    """Samples take whole groups: items are compared with those of their own."""
    few = sampled(SETS[name], 12)
    groups = {item.group for item in few.items}
    assert 3 <= len(groups) < len({item.group for item in SETS[name].items})
    for group in groups:
        labels = [item.label for item in few.items if item.group == group]
        assert max(labels) == 1
        assert min(labels) == 0


def test_a_sample_is_the_same_each_time() -> None:
    """Two models are measured on the same items."""
    every = SETS["contradictions"]
    assert sampled(every, 10) == sampled(every, 10)
    assert len(sampled(every, 2000).items) == len(every.items)


def test_the_reversed_order_has_the_same_notes() -> None:
    """From the last to the first, in the worker's own words."""
    question = next(item.question for item in SETS["made worse: depth"].items)
    first, turned = (question.prompt(is_reversed=turn) for turn in (False, True))
    assert first.quotable == turned.quotable[::-1]
    assert (first.system, first.version) == (turned.system, turned.version)
    assert sorted(first.user) == sorted(turned.user)
    assert first.user != turned.user


def test_a_verdict_is_read_with_what_stands_behind_it() -> None:
    """The part that the item is about, and no other."""
    question = RubricQuestion("Sound", "", ("The mill wheel groans at dusk.", "Ines hears it."), "depth")
    verdict = QualityVerdict(depth=70, coherence=1, actionability=2, depth_quotes=("the mill wheel groans",))
    prompt = question.prompt(is_reversed=False)
    assert question.read(verdict, prompt).score == 70
    assert question.read(verdict, prompt).is_quoted
    other = verdict.model_copy(update={"depth_quotes": (), "coherence_quotes": ("the mill wheel groans",)})
    assert not question.read(other, prompt).is_quoted


@pytest.mark.parametrize(
    ("said", "score"), [("yes", 100), ("No.", 0), (True, 100), (False, 0), (" YES ", 100)]
)
def test_yes_and_no_are_read_as_models_write_them(said: object, score: float) -> None:
    """The two are named in the other order where it is reversed; a quote may run over two texts."""
    question = YesNoQuestion("Is it so?", (("story", ("The mill wheel groans.", "Ines hears it.")),))
    prompt = question.prompt(is_reversed=False)
    answer = YesOrNo.model_validate({"quotes": ["wheel groans. Ines hears it"], "answer": said})
    reading = question.read(answer, prompt)
    assert (reading.score, reading.is_quoted) == (score, True)
    assert "yes or no" in prompt.system
    assert "no or yes" in question.prompt(is_reversed=True).system
    assert "{{" not in prompt.system + prompt.user


def test_published_sets_are_read(tmp_path: Path) -> None:
    """Labels of several people stay apart; a story that is only a link, and odd products, are left out."""
    write_published(tmp_path)
    sets = {each.name: each for each in public_sets(tmp_path)}
    assert [item.label for item in sets["StorySumm"].items] == [1, 0] * 4
    ttcw = sets["TTCW"].items
    assert len(ttcw) == 8
    assert {len(item.labels) for item in ttcw} == {3}
    assert len(sets["SummEval-OP: depth"].items) == 3 * 4
    assert sets["SummEval-OP: coherence"].items[0].labels == (1.0, 0.75, 1.0)


def test_a_folder_without_them_or_with_others_is_said(tmp_path: Path) -> None:
    """With the file that is wrong."""
    with pytest.raises(InvalidInput, match=r"holds none of storysumm/storysumm\.json"):
        public_sets(tmp_path)
    path = tmp_path / "storysumm" / "storysumm.json"
    path.parent.mkdir()
    path.write_text('{"a": {"label": 1}}')
    with pytest.raises(InvalidInput, match=r"storysumm\.json: not in the published form"):
        public_sets(tmp_path)


@pytest.mark.parametrize(
    "arguments", [[], ["--model", "m", "--items", "3"], ["--model", "m", "--max-cost", "0"]],
    ids=["no model", "too few items", "no money"],
)  # fmt: skip
def test_arguments_that_cannot_work_are_refused(arguments: list[str]) -> None:
    """With the way it is called."""
    with pytest.raises(SystemExit):
        parsed(arguments)
