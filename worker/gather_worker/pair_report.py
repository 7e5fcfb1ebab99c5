"""How well duplicates are told from labelled pairs: the ways that there are, side by side; pure."""

import random
from collections.abc import Callable, Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict

from gather_worker.calibration import Decision, Verdict
from gather_worker.pair_features import ComparableText, features_of
from gather_worker.pairs import LabelledPair

FLAT_COSINE: Final = 0.90
JUDGE_RIGHT: Final = 0.88
"""How often an instructed 8B-70B model is right about pairs (1 - .227 to 1 - .12 in published answers)."""
SEED: Final = 1
CUTS: Final = tuple(cut / 200 for cut in range(60, 200))


class Row(BaseModel):
    """One way to tell duplicates; precision, recall and F1 are 0 to 1."""

    model_config = ConfigDict(frozen=True)

    way: str
    precision: float
    recall: float
    f1: float
    judged_share: float
    """Of all pairs, how many this way gives to a model."""


class PairReport(BaseModel):
    """All ways on one set of pairs."""

    model_config = ConfigDict(frozen=True)

    pairs: int
    duplicates: int
    embedding_model: str
    threshold: float
    band_share: float
    """Of all pairs, how many lie between the cuts, where only a model could tell."""
    rows: tuple[Row, ...]


def probabilities_of(
    pairs: Sequence[LabelledPair], cosines: Sequence[float], decision: Decision
) -> list[float]:
    """Return how likely each pair is a duplicate."""
    texts: dict[str, ComparableText] = {}

    def text(content: str) -> ComparableText:
        return texts.setdefault(content, ComparableText(content))

    return [
        decision.calibration.probability(features_of(text(pair.a), text(pair.b), max(cosine, 0.0)))
        for pair, cosine in zip(pairs, cosines, strict=True)
    ]


def report_of(
    pairs: Sequence[LabelledPair],
    cosines: Sequence[float],
    decision: Decision,
    judged: Callable[[int], bool] | None = None,
) -> PairReport:
    """Return the report; `judged` tells what a model said of the pair at a place, None if none was asked."""
    labels = [pair.duplicate for pair in pairs]
    probabilities = probabilities_of(pairs, cosines, decision)
    verdicts = [decision.verdict(probability) for probability in probabilities]
    band_share = sum(verdict is Verdict.UNSURE for verdict in verdicts) / len(pairs)
    chance = random.Random(SEED)  # noqa: S311 - a simulation, the same every time
    simulated = [label if chance.random() < JUDGE_RIGHT else not label for label in labels]

    def with_judge(answer: Callable[[int], bool]) -> list[bool]:
        return [
            answer(place) if verdict is Verdict.UNSURE else verdict is Verdict.DUPLICATE
            for place, verdict in enumerate(verdicts)
        ]

    best = max(CUTS, key=lambda cut: _row("", [cosine >= cut for cosine in cosines], labels).f1)
    rows = [
        _row(f"cosine >= {FLAT_COSINE:.2f}", [cosine >= FLAT_COSINE for cosine in cosines], labels),
        _row(f"cosine >= {best:.3f}, the best cut of these pairs", [c >= best for c in cosines], labels),
        _row("stages without a model", [decision.is_duplicate(p) for p in probabilities], labels),
        _row("stages, simulated judge that is always right", with_judge(labels.__getitem__), labels),
        _row(
            f"stages, simulated judge right in {JUDGE_RIGHT:.0%}", with_judge(simulated.__getitem__), labels
        ),
    ]
    rows[3:] = [row.model_copy(update={"judged_share": band_share}) for row in rows[3:]]
    if judged is not None:
        asked = _row("stages with the model", with_judge(judged), labels)
        rows.append(asked.model_copy(update={"judged_share": band_share}))
    return PairReport(
        pairs=len(pairs),
        duplicates=sum(labels),
        embedding_model=decision.calibration.embedding_model,
        threshold=decision.threshold,
        band_share=round(band_share, 4),
        rows=tuple(rows),
    )


def _row(way: str, called: Sequence[bool], labels: Sequence[bool]) -> Row:
    right = sum(one and other for one, other in zip(called, labels, strict=True))
    return Row(
        way=way,
        precision=round(right / max(sum(called), 1), 4),
        recall=round(right / max(sum(labels), 1), 4),
        f1=round(2 * right / max(sum(called) + sum(labels), 1), 4),
        judged_share=0.0,
    )
