"""Labelled sets in the form of the published ones, with texts of our own: for tests of their readers."""

import json
from pathlib import Path
from typing import Any, Final

STORY: Final = (
    "The keeper counts the lamps on the pier each night.\nOn the tenth one is missing, and she rows out."
)
SUMMARIES: Final = (
    (["A keeper counts lamps on a pier.", "One night one of them is missing."], 1),
    (["A keeper sells her lamps on the market.", "She never rows again."], 0),
)
MARKS: Final = ([5, 4, 5], [2, 1, 2])


def write_published(folder: Path) -> None:
    """Write StorySumm, TTCW and SummEval-OP into a folder: few items, as their repositories have them."""
    _write_storysumm(folder / "storysumm")
    _write_ttcw(folder / "creativity_eval" / "Art_or_Artifice")
    _write_summeval(folder / "SummEval-OP" / "annotated_dataset")


def _write_storysumm(folder: Path) -> None:
    entries = {
        f"{number:032x}": {
            "label": label, "story": STORY * 2, "summary": summary, "story-id": number // 2, "split": "val",
        }
        for number in range(8)
        for summary, label in [SUMMARIES[number % 2]]
    }  # fmt: skip
    text = json.dumps(entries, indent=1)
    # The stray quote of the published file.
    stray = text.replace(
        '"A keeper counts lamps on a pier.",\n', '"A keeper counts lamps on a pier.", "\n', 1
    )
    _write(folder / "storysumm.json", stray)


def _write_ttcw(folder: Path) -> None:
    stories = [{"story_id": f"{number}_x", "content": STORY * 3} for number in range(4)]
    stories.append({"story_id": "4_x", "content": "https://example.org/a-story-elsewhere"})
    tests = [{"ttcw_idx": number, "question": f"Is it good in way {number}?"} for number in (1, 2)]
    verdicts = [
        {"story_id": story["story_id"], "ttcw_idx": test["ttcw_idx"], "expert_idx": expert,
         "binary_verdict": "Yes" if (number + expert) % 3 == 0 else "No"}
        for number, story in enumerate(stories) for test in tests for expert in range(3)
    ]  # fmt: skip
    _write(folder / "stories" / "ttcw_short_stories.json", stories)
    _write(folder / "tests" / "ttcw_all_tests.json", tests)
    _write(folder / "annotations" / "ttcw_annotations.json", verdicts)


def _write_summeval(folder: Path) -> None:
    product = {
        "summaries": [
            "The boots last nine winters. Their laces are of waxed hemp.",
            "These are good boots for their price. One likes to look at them in snow.",
        ] * 2,
        "sp": [*MARKS, *MARKS], "co": [*MARKS, *MARKS],
    }  # fmt: skip
    lines = [json.dumps(product) for _ in range(6)]
    _write(folder / "summeval-op-detailed.jsonl", "\n".join(lines))


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
