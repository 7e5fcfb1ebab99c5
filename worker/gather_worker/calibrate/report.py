"""How well each way of finding duplicates does on labelled pairs, side by side; pure."""

import random
from collections.abc import Callable, Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from gather_worker.calibrate.labelled_pairs import LabelledPair
from gather_worker.duplicates.calibration import Decision, Verdict
from gather_worker.duplicates.features import ComparableText, features_of

FLAT_COSINE: Final = 0.90
JUDGE_RIGHT: Final = 0.88
"""How often an instructed 8B-70B model is right about pairs (1 - .227 to 1 - .12 in published answers)."""
SEED: Final = 1
FLAT: Final = f"cosine >= {FLAT_COSINE:.2f}"
BEST_CUT: Final = "best cosine cut of these pairs"
STAGES: Final = "stages without a model"
PERFECT_JUDGE: Final = "stages, simulated judge that is always right"
USUAL_JUDGE: Final = f"stages, simulated judge right in {JUDGE_RIGHT:.0%}"
MODEL: Final = "stages with the model"
CUTS: Final = tuple(cut / 200 for cut in range(60, 200))


class _Printed(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class Row(_Printed):
    """One way to find duplicates; precision, recall and F1 are 0 to 1."""

    way: str
    precision: float
    recall: float
    f1: float
    judged_share: float = 0.0
    """The share of all pairs that this way gives to a model."""
    is_simulated: bool = False
    """No model was asked: its answers are made from the labels."""


class PairReport(_Printed):
    """All ways on one set of pairs."""

    name: str
    pairs: int
    duplicates: int
    embedding_model: str
    threshold: float
    band_share: float
    """The share of all pairs between the cuts, where only a model could decide."""
    rows: tuple[Row, ...]

    def f1_of(self, way: str) -> float:
        """Return one way's F1; the way may be its beginning."""
        return next(row.f1 for row in self.rows if row.way.startswith(way))


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
    name: str,
    pairs: Sequence[LabelledPair],
    cosines: Sequence[float],
    decision: Decision,
    judged: Callable[[int], bool] | None = None,
) -> PairReport:
    """Return the report; `judged` returns the model's verdict on the pair at a place."""
    labels = [pair.duplicate for pair in pairs]
    probabilities = probabilities_of(pairs, cosines, decision)
    verdicts = [decision.verdict(probability) for probability in probabilities]
    band_share = sum(verdict is Verdict.UNSURE for verdict in verdicts) / len(pairs)

    def with_judge(way: str, answer: Callable[[int], bool], *, is_simulated: bool) -> Row:
        called = [
            answer(place) if verdict is Verdict.UNSURE else verdict is Verdict.DUPLICATE
            for place, verdict in enumerate(verdicts)
        ]
        return _row(way, called, labels).model_copy(
            update={"judged_share": round(band_share, 4), "is_simulated": is_simulated}
        )

    # Chosen on these very pairs, so that no calibration could beat it by moving a cut.
    best = max(CUTS, key=lambda cut: f1_at(cut, cosines, labels))
    chance = random.Random(SEED)  # noqa: S311 - a simulation, the same every time
    usual = [label if chance.random() < JUDGE_RIGHT else not label for label in labels]
    rows = [
        _row(FLAT, [cosine >= FLAT_COSINE for cosine in cosines], labels),
        _row(f"{BEST_CUT}, {best:.3f}", [cosine >= best for cosine in cosines], labels),
        _row(STAGES, [decision.is_duplicate(probability) for probability in probabilities], labels),
        with_judge(PERFECT_JUDGE, labels.__getitem__, is_simulated=True),
        with_judge(USUAL_JUDGE, usual.__getitem__, is_simulated=True),
    ]
    if judged is not None:
        rows.append(with_judge(MODEL, judged, is_simulated=False))
    return PairReport(
        name=name,
        pairs=len(pairs),
        duplicates=sum(labels),
        embedding_model=decision.calibration.embedding_model,
        threshold=decision.threshold,
        band_share=round(band_share, 4),
        rows=tuple(rows),
    )


def f1_at(cut: float, cosines: Sequence[float], labels: Sequence[bool]) -> float:
    """Return the F1 of calling every pair of at least this cosine a duplicate."""
    return _row("", [cosine >= cut for cosine in cosines], labels).f1


def _row(way: str, called: Sequence[bool], labels: Sequence[bool]) -> Row:
    right = sum(one and other for one, other in zip(called, labels, strict=True))
    return Row(
        way=way,
        precision=round(right / max(sum(called), 1), 4),
        recall=round(right / max(sum(labels), 1), 4),
        f1=round(2 * right / max(sum(called) + sum(labels), 1), 4),
    )


def table_of(report: PairReport) -> str:
    """Return the report as lines for people."""
    head = (
        f"{report.name}: {report.pairs} pairs, {report.duplicates} duplicates; threshold "
        f"{report.threshold:g}, {report.band_share:.1%} between the cuts"
    )
    width = max(len(row.way) for row in report.rows)
    lines = [
        f"{row.way:<{width}}  {row.precision:9.3f}  {row.recall:6.3f}  {row.f1:5.3f}  {row.judged_share:8.1%}"
        for row in report.rows
    ]
    columns = f"{'':<{width}}  precision  recall     F1  to model"
    return "\n".join([head, columns, *lines, ""])
