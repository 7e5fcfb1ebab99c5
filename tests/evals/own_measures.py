"""`make measures-report`: the brain's actionability and contradictions against sentences labelled by us.

`tests/data/measures` holds them by language and domain: sentences that tell a reader what to do or do not,
and pairs of sentences that contradict each other or do not. Whole domains are held out of the fit; of pairs
every second base sentence with all that is compared with it. `--fit` writes the weights of the cues.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from dev.paths import ROOT
from gather_brain.coverage.instruction_cues import cues_of
from gather_brain.coverage.measures import actionability_of, features_of
from gather_brain.coverage.statements import conflict_of, statement_of

FOLDER: Final = ROOT / "tests" / "data" / "measures"
WEIGHTS: Final = ROOT / "brain" / "gather_brain" / "coverage" / "instruction_weights.json"
HALVES: Final = ("fit", "held_out")
BOTH: Final = 0.5
"""Sentences beside the labelled ones that have one cue alone, half an instruction and half none: without them
a cue that was never wrong would weigh without bound."""
STEPS: Final = 500
SHARE_MAX: Final = 0.999
BOOTSTRAPS: Final = 1_000
SEED: Final = 11

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A sentence, or two, and what people say of them."""

    language: str
    domain: str
    half: str
    texts: tuple[str, ...]
    label: bool


def sentences() -> list[Labelled]:
    """Return the sentences; their label is whether they tell a reader what to do."""
    return [
        Labelled(language, domain, half, (line[2:].strip(),), line[0] == "+")
        for path in sorted((FOLDER / "actionability").glob("*.txt"))
        for language, domain, half in [path.stem.split(".")]
        for line in path.read_text("utf-8").splitlines()
    ]


def pairs() -> list[Labelled]:
    """Return the pairs; their label is whether they contradict each other."""
    return [pair for path in sorted((FOLDER / "contradictions").glob("*.txt")) for pair in _pairs_of(path)]


def _pairs_of(path: Path) -> Iterator[Labelled]:
    language, domain = path.stem.split(".")
    base, place = "", 0
    for line in path.read_text("utf-8").splitlines():
        text = line[2:].strip()
        if line[0] == "=":
            base, place = text, place + 1
        else:
            yield Labelled(language, domain, HALVES[(place - 1) % 2], (base, text), line[0] == "!")


def said_actionable(sentence: str) -> float:
    """Return the brain's measure of one sentence."""
    return actionability_of([features_of(sentence)])


def auc(scores: Sequence[float], labels: Sequence[bool]) -> float:
    """Return how often one that is labelled yes scores higher than one that is labelled no; equal is half."""
    yes, no = (
        np.array([s for s, y in zip(scores, labels, strict=True) if y is want]) for want in (True, False)
    )
    return float((np.sign(yes[:, None] - no[None, :]) + 1).mean() / 2)


def interval(scores: Sequence[float], labels: Sequence[bool]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the AUC."""
    chance = np.random.default_rng(SEED)
    found, count = [], len(labels)
    for _ in range(BOOTSTRAPS):
        drawn = chance.integers(0, count, count)
        some = [labels[place] for place in drawn]
        if len(set(some)) > 1:
            found.append(auc([scores[place] for place in drawn], some))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def fitted(cues: Sequence[frozenset[str]], labels: Sequence[bool]) -> tuple[float, dict[str, float]]:
    """Return the background and the weight of each kind of cue, by maximum likelihood of a noisy-or.

    P(instruction) = 1 - product of (1 - share of each cue), fitted by expectation maximisation: of a sentence
    that is an instruction, each of its cues is the reason by its share. A weight is -log(1 - share).
    """
    kinds = sorted(frozenset().union(*cues))
    alone = np.eye(len(kinds))
    has = np.array([[kind in found for kind in kinds] for found in cues], float)
    rows = np.hstack([np.ones((len(has) + 2 * len(kinds), 1)), np.vstack([has, alone, alone])])
    target = np.array([*labels, *[True] * len(kinds), *[False] * len(kinds)], float)
    counts = np.array([*[1.0] * len(labels), *[BOTH] * (2 * len(kinds))])
    shares: Numbers = np.full(len(kinds) + 1, 0.5)
    for _ in range(STEPS):
        said = 1 - np.prod(1 - rows * shares, axis=1)
        shares = shares * ((counts * target / said) @ rows) / (counts @ rows)
    weights = -np.log1p(-np.minimum(shares, SHARE_MAX))
    return float(weights[0]), dict(zip(kinds, map(float, weights[1:]), strict=True))


def fit() -> None:
    """Write the weights of the cues."""
    chosen = [each for each in sentences() if each.half == HALVES[0]]
    cues = [cues_of(each.texts[0], each.language) for each in chosen]
    background, weights = fitted(cues, [each.label for each in chosen])
    made = {"background": round(background, 3), "weights": {kind: round(w, 2) for kind, w in weights.items()}}
    WEIGHTS.write_text(json.dumps(made, indent=2) + "\n", "utf-8")


def actionability_rows(chosen: Sequence[Labelled]) -> Iterator[tuple[str, ...]]:
    """Yield for each domain: sentences, how many tell what to do, AUC and its interval."""
    key = lambda each: (each.half, each.language, each.domain)  # noqa: E731
    groups = [
        (" ".join(name[1:]), name[0], list(some)) for name, some in groupby(sorted(chosen, key=key), key)
    ]
    for half in HALVES:
        every = [each for each in chosen if each.half == half]
        groups.append(("English together", half, [each for each in every if each.language == "en"]))
        groups.append(("all together", half, every))
    for name, half, some in groups:
        scores, labels = [said_actionable(each.texts[0]) for each in some], [each.label for each in some]
        low, high = interval(scores, labels)
        yield (
            name,
            half,
            f"{len(some)}",
            f"{sum(labels)}",
            f"{auc(scores, labels):.2f}",
            f"{low:.2f}-{high:.2f}",
        )


def contradiction_rows(chosen: Sequence[Labelled]) -> Iterator[tuple[str, ...]]:
    """Yield for each set of pairs: pairs, contradictions, precision, recall, F1."""
    key = lambda each: (each.half, each.language, each.domain)  # noqa: E731
    groups = [
        (" ".join(name[1:]), name[0], list(some)) for name, some in groupby(sorted(chosen, key=key), key)
    ]
    groups += [("all together", half, [each for each in chosen if each.half == half]) for half in HALVES]
    for name, half, some in groups:
        found = [conflict_of(*map(statement_of, each.texts)) is not None for each in some]
        right = sum(said and each.label for said, each in zip(found, some, strict=True))
        precision, recall = right / max(sum(found), 1), right / max(sum(each.label for each in some), 1)
        f1 = 2 * right / max(sum(found) + sum(each.label for each in some), 1)
        numbers = f"{precision:.2f}", f"{recall:.2f}", f"{f1:.2f}"
        yield name, half, f"{len(some)}", f"{sum(each.label for each in some)}", *numbers


def markdown_of(head: Sequence[str], rows: Iterator[tuple[str, ...]]) -> str:
    """Return a table."""
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)


TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "actionability": ("sentences", "half", "number", "instructions", "AUC", "95 %"),
    "contradictions": ("pairs", "half", "number", "contradicting", "precision", "recall", "F1"),
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        prog="make measures-report", description=str(__doc__).split("\n\n", 1)[0]
    )
    parser.add_argument("--fit", action="store_true", help="write the weights of the cues first")
    if parser.parse_args().fit:
        fit()
    console = Console()
    console.print(markdown_of(TABLES["actionability"], actionability_rows(sentences())), soft_wrap=True)
    console.print()
    console.print(markdown_of(TABLES["contradictions"], contradiction_rows(pairs())), soft_wrap=True)


if __name__ == "__main__":
    main()
