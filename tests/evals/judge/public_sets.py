"""Public sets with people's labels, where somebody has put them into a folder: `DATA=folder`.

The folder holds each repository under its name, as it is published. Nothing is fetched here, and none of it
is part of the project. A set that is not there is left out; one that cannot be read names its file.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from gather_worker.errors import InvalidInput
from tests.evals.judge.questions import Item, LabelledSet, RubricQuestion, YesNoQuestion

STORYSUMM: Final = "storysumm/storysumm.json"
"""melaniesubbiah/storysumm, MIT: summaries of stories, faithful or not."""
TTCW: Final = "creativity_eval/Art_or_Artifice"
"""salesforce/creativity_eval, BSD-3: fourteen tests of creativity, three experts a story."""
SUMMEVAL: Final = "SummEval-OP/annotated_dataset/summeval-op-detailed.jsonl"
"""tjsiledar/SummEval-OP, MIT: summaries of reviews, three people's marks of 1 to 5; even products alone."""
STORY_CHARS_MIN: Final = 200
"""Some stories are only links."""
MARKS: Final = {"sp": "depth", "co": "coherence"}
"""SummEval-OP's specificity and coherence, and the rubric's parts that are nearest to them."""
MARK_MAX: Final = 5
_TORN: Final = re.compile(r'",[ \t]*"[ \t]*\n')
"""A stray quote in the file as it was published."""
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+")


def public_sets(folder: Path) -> list[LabelledSet]:
    """Return the sets that the folder holds; raises InvalidInput for none, or one in another form."""
    makers = ((STORYSUMM, _storysumm), (TTCW, _ttcw), (SUMMEVAL, _summeval))
    found = []
    for path, make in makers:
        if not (folder / path).exists():
            continue
        try:
            found += make(folder / path)
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise InvalidInput(f"{folder / path}: not in the published form: {error!r}") from error
    if not found:
        names = ", ".join(path for path, _ in makers)
        raise InvalidInput(f"{folder}: holds none of {names}")
    return found


def _storysumm(path: Path) -> list[LabelledSet]:
    entries = json.loads(_TORN.sub('",\n', path.read_text(encoding="utf-8")))
    question = "Is everything that the summary says true of the story?"
    items = [
        Item(
            str(entry["story-id"]), (float(entry["label"]),),
            YesNoQuestion(
                question, (("story", _paragraphs(entry["story"])), ("summary", tuple(entry["summary"])))
            ),
        )
        for entry in entries.values()
    ]  # fmt: skip
    return [LabelledSet("StorySumm", "whether a summary is true of its story", True, items)]


def _ttcw(folder: Path) -> list[LabelledSet]:
    stories = {
        entry.get("story_id"): entry["content"]
        for entry in _read(folder / "stories" / "ttcw_short_stories.json")
        if len(entry["content"]) >= STORY_CHARS_MIN
    }
    questions = {
        test["ttcw_idx"]: test["question"] for test in _read(folder / "tests" / "ttcw_all_tests.json")
    }
    said = defaultdict[tuple[str, int], list[float]](list)
    for answer in _read(folder / "annotations" / "ttcw_annotations.json"):
        is_yes = answer["binary_verdict"].strip().lower() == "yes"
        said[answer["story_id"], answer["ttcw_idx"]].append(float(is_yes))
    items = [
        Item(story, tuple(labels), YesNoQuestion(questions[test], (("story", _paragraphs(stories[story])),)))
        for (story, test), labels in said.items()
        if story in stories
    ]
    return [LabelledSet("TTCW", "fourteen yes-or-no tests of a short story's creativity", True, items)]


def _summeval(path: Path) -> list[LabelledSet]:
    products = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [
        LabelledSet(
            f"SummEval-OP: {part}", "summaries of what people say of a product, marked from 1 to 5", False,
            [item for number, product in enumerate(products[::2]) for item in _marked(number, product, mark)],
            part,
        )
        for mark, part in MARKS.items()
    ]  # fmt: skip


def _marked(number: int, product: dict[str, Any], mark: str) -> Iterator[Item]:
    for summary, marks in zip(product["summaries"], product[mark], strict=True):
        labels = tuple((float(each) - 1) / (MARK_MAX - 1) for each in marks)
        notes = tuple(_SENTENCE.split(summary.strip()))
        description = "What buyers say of one product that stands in the film"
        yield Item(f"product {number}", labels, RubricQuestion("Research", description, notes, MARKS[mark]))


def _read(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())
