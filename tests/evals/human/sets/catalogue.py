"""The public sets with people's labels: where each is had, its licence, and what may be done with it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class PublicSet:
    """A set as its repository has it, in a folder of DATA that is called as the repository is."""

    name: str
    repository: str
    """Of GitHub unless it is an address."""
    files: tuple[str, ...]
    """Below DATA; the set is there if the first is."""
    licence: str
    shown: str
    """The part that may be looked at; empty where all is kept back."""
    kept_back: str
    """The part that is measured with --kept-back alone; empty where there is none."""
    use: str
    """Whether anything that is shipped may be fitted on what is shown."""

    @property
    def how_to_get(self) -> str:
        """Return in words how to get it."""
        if self.repository.startswith("http"):
            return f"get it from {self.repository} as {self.files[0]}"
        return f"git clone https://github.com/{self.repository}"

    def is_in(self, data: Path) -> bool:
        """Return whether the set is there."""
        return (data / self.files[0]).exists()


KEY_POINTS: Final = PublicSet(
    "KPA-2021", "IBM/KPA_2021_shared_task",
    ("KPA_2021_shared_task/kpm_data", "KPA_2021_shared_task/test_data"),
    "CDLA-Sharing-1.0", "train and dev", "test", "may be fitted on",
)  # fmt: skip
REALSUMM: Final = PublicSet(
    "REALSumm", "ZhangShiyue/Lite2-3Pyramid",
    ("Lite2-3Pyramid/data/REALSumm", "REALSumm/human_annotations/SCUs_and_annotations"),
    "CC BY 4.0", "documents with even numbers", "documents with odd numbers", "may be fitted on",
)  # fmt: skip
SUMMEVAL: Final = PublicSet(
    "SummEval-OP", "tjsiledar/SummEval-OP", ("SummEval-OP/annotated_dataset/summeval-op-detailed.jsonl",),
    "MIT", "products with even numbers", "products with odd numbers", "may be fitted on",
)  # fmt: skip
STORYSUMM: Final = PublicSet(
    "StorySumm",
    "melaniesubbiah/storysumm",
    ("storysumm/storysumm.json",),
    "MIT",
    "all",
    "",
    "may be fitted on",
)
TTCW: Final = PublicSet(
    "TTCW", "salesforce/creativity_eval",
    ("creativity_eval/Art_or_Artifice/stories/ttcw_short_stories.json",
     "creativity_eval/Art_or_Artifice/annotations/ttcw_annotations.json"),
    "BSD-3-Clause", "all stories that the repository holds", "", "may be fitted on",
)  # fmt: skip
TRIPOD: Final = PublicSet(
    "TRIPOD", "ppapalampidi/TRIPOD",
    ("TRIPOD/Synopses_and_annotations/TRIPOD_synopses_train.csv",
     "TRIPOD/Synopses_and_annotations/TRIPOD_synopses_test.csv"),
    "none named", "train", "test", "measured only",
)  # fmt: skip
SPECIFICITY: Final = PublicSet(
    "sentence specificity", "wjko2/Domain-Agnostic-Sentence-Specificity-Prediction",
    ("Domain-Agnostic-Sentence-Specificity-Prediction/dataset/data",), "none named", "", "all",
    "measured only",
)  # fmt: skip
SUGGESTIONS: Final = PublicSet(
    "SemEval-2019 task 9 A", "Semeval2019Task9/Subtask-A", ("Subtask-A/SubtaskA_EvaluationData_labeled.csv",),
    "CC BY-NC-SA 4.0", "", "all", "measured only",
)  # fmt: skip
SICK: Final = PublicSet(
    "SICK", "https://zenodo.org/records/2787612", ("SICK/SICK.txt",), "CC BY-NC-SA 3.0", "", "all",
    "measured only",
)  # fmt: skip
HANNA: Final = PublicSet(
    "HANNA", "dig-team/hanna-benchmark-asg", ("hanna-benchmark-asg/hanna_stories_annotations.csv",),
    "MIT", "", "all", "measured only",
)  # fmt: skip
SETS: Final = (
    KEY_POINTS, REALSUMM, SUMMEVAL, STORYSUMM, TTCW, TRIPOD, SPECIFICITY, SUGGESTIONS, SICK, HANNA
)  # fmt: skip
