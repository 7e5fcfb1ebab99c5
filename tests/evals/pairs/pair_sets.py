"""Labelled pairs out of a folder: JSON Lines files, and two public sets as they are published.

- `pan/pan-train_s1.txt`, `pan/pan-train_s2.txt`, `pan/pan-train.labels`: the PAN paraphrase corpus, sentences
  of story prose; line i of the first two is a pair, 1 in the third a duplicate.
- `stsb/sts-train.csv`, `stsb/sts-dev.csv`: the STS benchmark, tab-separated; the fifth column is the
  similarity, of which 4 and more count as a duplicate, the sixth and seventh are the texts.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gather_worker.calibrate.labelled_pairs import LabelledPair, read_pairs
from gather_worker.errors import InvalidInput

PAN: Final = ("pan-train_s1.txt", "pan-train_s2.txt", "pan-train.labels")
STS_B: Final = ("sts-train.csv", "sts-dev.csv")
SOURCES: Final = {
    "PAN": "PAN paraphrase corpus: sentences of story prose",
    "STS-B": "STS benchmark, train and dev: a similarity of 4 and more is a duplicate",
}
"""What calibrations say that they were made on."""
STS_B_SAME: Final = 4.0
STS_B_SCORE: Final = 4
STS_B_COLUMNS: Final = 7


def read_sets(folder: Path) -> dict[str, list[LabelledPair]]:
    """Return the sets by their names; raises InvalidInput if there is none."""
    sets = {path.stem: read_pairs(path) for path in sorted(folder.glob("*.jsonl"))}
    if (folder / "pan" / PAN[0]).is_file():
        sets["PAN"] = list(_pan(folder / "pan"))
    if (folder / "stsb" / STS_B[0]).is_file():
        sets["STS-B"] = [pair for name in STS_B for pair in _sts_b(folder / "stsb" / name)]
    if not sets:
        raise InvalidInput(f"{folder} has no *.jsonl, no pan/ and no stsb/")
    return sets


def _pan(folder: Path) -> Iterator[LabelledPair]:
    files = [(folder / name).read_text(encoding="utf-8").splitlines() for name in PAN]
    for one, other, label in zip(*files, strict=True):
        yield LabelledPair(a=one, b=other, duplicate=label.strip() == "1")


def _sts_b(path: Path) -> Iterator[LabelledPair]:
    for line in path.read_text(encoding="utf-8").split("\n"):
        columns = line.split("\t")
        if len(columns) >= STS_B_COLUMNS:
            yield LabelledPair(
                a=columns[5], b=columns[6], duplicate=float(columns[STS_B_SCORE]) >= STS_B_SAME
            )
