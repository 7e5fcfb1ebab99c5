"""The readers of public sets, on a small sample of our own in the forms of their repositories."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.paths import ROOT
from gather_worker.errors import InvalidInput
from tests.evals.human.sets.catalogue import SETS
from tests.evals.human.sets.kept_back_sets import entailments, rated_sentences, rated_stories, suggestions
from tests.evals.human.sets.key_points_set import stances
from tests.evals.human.sets.realsumm_set import answers, summaries
from tests.evals.human.sets.story_sets import faulty_summaries, films, judged_stories, rated_summaries

SAMPLE = ROOT / "tests/data/human/sample"


def test_the_sample_has_every_set() -> None:
    """And every part of each."""
    for public in SETS:
        assert all((SAMPLE / name).exists() for name in public.files), public.name


def test_key_points_are_read_by_topic_and_side() -> None:
    """An undecided pair is in no label."""
    sides = stances(SAMPLE, "train")
    assert [len(side.arguments) for side in sides] == [6, 6]
    assert [len(side.key_points) for side in sides] == [2, 2]
    assert sides[0].matches["arg_0_0", "kp_0_0"] == 1
    assert ("arg_0_3", "kp_0_0") not in sides[0].matches
    assert {point for _, point in sides[1].matches} == {"kp_0_2", "kp_0_3"}
    assert len(stances(SAMPLE, "test")) == 2


def test_even_and_odd_documents_have_nothing_in_common() -> None:
    """Numbers count from 0."""
    even, odd = summaries(SAMPLE, odd=False), summaries(SAMPLE, odd=True)
    assert {each.document for each in even} == {0, 2}
    assert {each.document for each in odd} == {1, 3}
    assert not {each.text for each in even} & {each.text for each in odd}
    first = even[0]
    assert (first.units[0], first.present) == ("Ada keeps the lamp.", (1, 1, 0))


def test_people_s_single_answers_are_of_the_same_documents() -> None:
    """Four people for each summary; blank statements are none."""
    found = list(answers(SAMPLE, odd=False))
    assert found == [[[1, 1, 0]] * 3 + [[1, 1, 1]], [[1, 1]] * 3 + [[1, 0]]]
    assert len(list(answers(SAMPLE, odd=True))) == 2


def test_products_are_even_or_odd() -> None:
    """With each person's rating, and the reviews."""
    even, odd = rated_summaries(SAMPLE, "sp", odd=False), rated_summaries(SAMPLE, "sp", odd=True)
    assert [each.ratings for each in even] == [(1, 1, 2), (5, 5, 4), (2, 3, 2)]
    assert {each.group for each in even} == {"0"}
    assert {each.group for each in odd} == {"1"}
    assert even[0].about[0] == "The boots are warm and dry in snow."


def test_the_stray_quotation_mark_of_a_published_file_is_mended() -> None:
    """And a summary of which not every sentence is labelled is left out."""
    with pytest.raises(json.JSONDecodeError):
        json.loads((SAMPLE / "storysumm/storysumm.json").read_text("utf-8"))
    found = faulty_summaries(SAMPLE)
    assert [each.is_wrong for each in found] == [(1, 0), (1, 0)]
    assert found[0].sentences[1] == "The storm has seven waves."


def test_stories_that_are_links_are_left_out() -> None:
    """Each expert's verdicts are added over the tests that are asked for."""
    assert [each.ratings for each in judged_stories(SAMPLE, frozenset({2}))] == [
        (1, 1, 1), (0, 0, 0), (1, 1, 0),
    ]  # fmt: skip
    assert judged_stories(SAMPLE, frozenset({12, 13, 14}))[2].ratings == (3, 3, 0)


def test_people_s_turning_points_are_kept_apart() -> None:
    """Two people marked the first film."""
    lamp, coin = films(SAMPLE, test=False)
    assert (lamp.name, lamp.turning_points) == ("Lamp", ()) or lamp.name == "The Lamp (film)"
    assert lamp.turning_points == ((1, 3, 5, 7, 9), (1, 3, 6, 7, 9))
    assert lamp.sentences[5] == "She burns her boat, so that she cannot go back."
    assert len(coin.turning_points) == 1
    assert len(films(SAMPLE, test=True)) == 1


def test_sets_that_are_kept_back_are_read_in_their_forms() -> None:
    """Quotation marks in SICK are signs; a header in the suggestions is none of them."""
    assert rated_sentences(SAMPLE, "movie")[0] == ("It was good .", 1.0)
    assert suggestions(SAMPLE)[3] == ("I was there, and it rained", 0)
    assert [label for _, label in suggestions(SAMPLE)] == [1, 1, 0, 0]
    pairs = entailments(SAMPLE)
    assert [label for _, _, label in pairs] == [1, 0, 0]
    assert pairs[1][0] == 'A girl is "reading" a letter'
    assert [each.ratings for each in rated_stories(SAMPLE)] == [(5, 4, 5), (1, 2, 1), (4, 4, 3)]


LITE = "Lite2-3Pyramid/data/REALSumm"
TRIPOD = "TRIPOD/Synopses_and_annotations/TRIPOD_synopses_train.csv"
SUGGESTED = "Subtask-A/SubtaskA_EvaluationData_labeled.csv"
BROKEN: dict[str, tuple[str, tuple[str, str], Callable[[Path], object], str]] = {
    "a label of three values": (
        "KPA_2021_shared_task/kpm_data/labels_dev.csv", ("kp_0_0,1", "kp_0_0,2"),
        lambda data: stances(data, "dev"), "line 2: no such argument, or a label",
    ),
    "an argument without a topic": (
        "KPA_2021_shared_task/kpm_data/arguments_dev.csv", ("The lighthouse should be built as a set", ""),
        lambda data: stances(data, "dev"), "line 2: topic",
    ),
    "a label for a unit that is not there": (
        f"{LITE}/labels/abs_one.label", ("1\t1\t0", "1\t1\t0\t1"),
        lambda data: summaries(data, odd=False), "line 1: 3 labels",
    ),
    "a summary too few": (
        f"{LITE}/summaries/abs_one.summary", ("A dog waits for the train .\n", ""),
        lambda data: summaries(data, odd=False), "line 3: it ends",
    ),
    "a rating of six": (
        "SummEval-OP/annotated_dataset/summeval-op-detailed.jsonl", ('"sp": [[1, 1, 1]', '"sp": [[6, 1, 1]'),
        lambda data: rated_summaries(data, "sp", odd=False), "line 2: sp.0.0",
    ),
    "JSON that ends": (
        "storysumm/storysumm.json", ('"split": "test"', '"split": '),
        faulty_summaries, "not JSON",
    ),
    "a turning point behind the end": (
        TRIPOD, ("7,9", "7,10"), lambda data: films(data, test=False), "line 2: a turning point",
    ),
    "a rating that is a word": (
        "Domain-Agnostic-Sentence-Specificity-Prediction/dataset/data/moviev.txt", ("1.5", "much"),
        lambda data: rated_sentences(data, "movie"), "line 2: not a number",
    ),
    "a suggestion without a label": (
        SUGGESTED, ("The lamp is red,0", "The lamp is red"), suggestions, "line 4: no identity",
    ),
    "a pair of one sentence": (
        "SICK/SICK.txt", ("A dog runs\tA boat sinks", "A dog runs"), entailments, "line 4: 5 cells",
    ),
    "a story without a rating": (
        "hanna-benchmark-asg/hanna_stories_annotations.csv", (",3,5,3,", ",3,,3,"), rated_stories,
        "line 2: Coherence",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_file_is_named_with_its_line(fault: str, tmp_path: Path) -> None:
    """And no text of it is shown."""
    name, (right, wrong), read, said = BROKEN[fault]
    data = tmp_path / "data"
    shutil.copytree(SAMPLE, data)
    text = (data / name).read_text("utf-8")
    assert right in text
    (data / name).write_text(text.replace(right, wrong, 1), "utf-8")
    with pytest.raises(InvalidInput) as raised:
        read(data)
    assert str(data / name) in str(raised.value)
    assert said in str(raised.value)


def test_bytes_that_are_no_text_are_named_with_their_line(tmp_path: Path) -> None:
    """Of a file that is read by lines."""
    data = tmp_path / "data"
    shutil.copytree(SAMPLE, data)
    (data / LITE / "SCUs.txt").write_bytes(b"a\tb\n\xff\n")
    with pytest.raises(InvalidInput, match="line 2: not UTF-8"):
        summaries(data, odd=False)


def test_the_docs_name_every_set_with_its_licence_and_parts() -> None:
    """As the catalogue has them, one line each."""
    lines = (ROOT / "docs/quality.md").read_text("utf-8").splitlines()
    for public in SETS:
        (line,) = [line for line in lines if line.startswith(f"| {public.name} |")]
        shown = [public.repository, public.licence, *(f"`{name}`" for name in public.files)]
        shown += [part for part in (public.shown, public.kept_back) if part]
        assert [said for said in shown if said not in line] == [], public.name
        assert (f"{public.shown}, {public.use}" in line) == bool(public.shown)
