"""How well each way of finding duplicates does on labelled pairs, side by side; pure."""

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from gather_worker.calibrate.labelled_pairs import LabelledPair
from gather_worker.duplicates.calibration import Decision
from gather_worker.duplicates.candidates import Opinion, Pair, Verdict
from gather_worker.duplicates.rules import CalibratedRule, cautious

FLAT_COSINE: Final = 0.90
JUDGE_RIGHT: Final = 0.88
"""How often an instructed 8B-70B model is right about pairs (1 - .227 to 1 - .12 in published answers)."""
SEED: Final = 1
FLAT: Final = f"cosine >= {FLAT_COSINE:.2f}"
BEST_CUT: Final = "best cosine cut of these pairs"
ALONE: Final = "calibration alone"
STAGES: Final = "stages without a model"
PERFECT_JUDGE: Final = "stages, simulated judge that is always right"
USUAL_JUDGE: Final = f"stages, simulated judge right in {JUDGE_RIGHT:.0%}"
MODEL: Final = "stages with the model"
Compared = tuple[Sequence[LabelledPair], Sequence[float]]
"""Pairs, and their cosines."""
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


class ContrastRow(_Printed):
    """Pairs that differ in nothing but what turns the meaning; shares, 0 to 1, that are called duplicates."""

    kind: str
    pairs: int
    median_cosine: float
    flat: float
    """By a flat cosine."""
    alone: float
    """By the calibration alone."""
    stages: float
    """By the stages without a model."""
    judged_share: float
    """The share that is given to a model."""
    usual_judge: float
    """By the stages with a simulated judge that is mostly right."""


class PairReport(_Printed):
    """All ways on one set of pairs."""

    name: str
    pairs: int
    duplicates: int
    embedding_model: str
    threshold: float
    band_share: float
    """The share of all pairs that only a model could decide: between the cuts, or different in one word."""
    rows: tuple[Row, ...]
    contrasts: tuple[ContrastRow, ...] = ()

    def f1_of(self, way: str) -> float:
        """Return one way's F1; the way may be its beginning."""
        return next(row.f1 for row in self.rows if row.way.startswith(way))


@dataclass(frozen=True, slots=True)
class Opinions:
    """What the stages think of pairs without a model: with and without a look at what differs."""

    alone: Sequence[Opinion]
    """Of the calibration, by likeness alone."""
    cautious: Sequence[Opinion]


def opinions_of(pairs: Sequence[LabelledPair], cosines: Sequence[float], decision: Decision) -> Opinions:
    """Return the stages' opinions of the pairs, in order."""
    rule = CalibratedRule(decision)
    compared = [Pair(0, pair.b, pair.a, cosine=cosine) for pair, cosine in zip(pairs, cosines, strict=True)]
    alone = [rule.by_likeness(pair, pair.cosine or 0.0) for pair in compared]
    return Opinions(alone, [cautious(pair, opinion) for pair, opinion in zip(compared, alone, strict=True)])


def report_of(
    name: str,
    pairs: Sequence[LabelledPair],
    cosines: Sequence[float],
    decision: Decision,
    *,
    contrasts: Mapping[str, Compared] = MappingProxyType({}),
    judged: Callable[[int], bool] | None = None,
) -> PairReport:
    """Return the report; `judged` returns the model's verdict on the pair at a place.

    `contrasts` are pairs by their kind, none of them duplicates, with their cosines.
    """
    labels = [pair.duplicate for pair in pairs]
    opinions = opinions_of(pairs, cosines, decision)
    unsure = [opinion.verdict is Verdict.UNSURE for opinion in opinions.cautious]

    def with_judge(way: str, answer: Callable[[int], bool], *, is_simulated: bool) -> Row:
        called = [
            answer(place) if unsure[place] else opinion.is_duplicate
            for place, opinion in enumerate(opinions.cautious)
        ]
        return _row(way, called, labels).model_copy(
            update={"judged_share": _share(unsure), "is_simulated": is_simulated}
        )

    # Chosen on these very pairs, so that no calibration could beat it by moving a cut.
    best = max(CUTS, key=lambda cut: f1_at(cut, cosines, labels))
    usual = _mostly_right(labels)
    rows = [
        _row(FLAT, [cosine >= FLAT_COSINE for cosine in cosines], labels),
        _row(f"{BEST_CUT}, {best:.3f}", [cosine >= best for cosine in cosines], labels),
        _row(ALONE, [opinion.is_duplicate for opinion in opinions.alone], labels),
        _row(STAGES, [opinion.is_duplicate for opinion in opinions.cautious], labels),
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
        band_share=_share(unsure),
        rows=tuple(rows),
        contrasts=tuple(contrast_row(kind, *made, decision) for kind, made in contrasts.items() if made[0]),
    )


def contrast_row(
    kind: str, pairs: Sequence[LabelledPair], cosines: Sequence[float], decision: Decision
) -> ContrastRow:
    """Return what is called a duplicate of pairs of one kind, at least one."""
    opinions = opinions_of(pairs, cosines, decision)
    unsure = [opinion.verdict is Verdict.UNSURE for opinion in opinions.cautious]
    usual = _mostly_right([pair.duplicate for pair in pairs])
    return ContrastRow(
        kind=kind,
        pairs=len(pairs),
        median_cosine=round(statistics.median(cosines), 3),
        flat=_share([cosine >= FLAT_COSINE for cosine in cosines]),
        alone=_share([opinion.is_duplicate for opinion in opinions.alone]),
        stages=_share([opinion.is_duplicate for opinion in opinions.cautious]),
        judged_share=_share(unsure),
        usual_judge=_share(
            [
                usual[place] if unsure[place] else opinion.is_duplicate
                for place, opinion in enumerate(opinions.cautious)
            ]
        ),
    )


def _mostly_right(labels: Sequence[bool]) -> list[bool]:
    """Return the answers of a simulated judge."""
    chance = random.Random(SEED)  # noqa: S311 - a simulation, the same every time
    return [label if chance.random() < JUDGE_RIGHT else not label for label in labels]


def _share(flags: Sequence[bool]) -> float:
    return round(sum(flags) / max(len(flags), 1), 4)


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
        f"{report.threshold:g}, {report.band_share:.1%} to a model"
    )
    width = max(len(row.way) for row in report.rows)
    lines = [
        f"{row.way:<{width}}  {row.precision:9.3f}  {row.recall:6.3f}  {row.f1:5.3f}  {row.judged_share:8.1%}"
        for row in report.rows
    ]
    columns = f"{'':<{width}}  precision  recall     F1  to model"
    return "\n".join([head, columns, *lines, *_contrast_lines(report, width), ""])


def _contrast_lines(report: PairReport, width: int) -> list[str]:
    if not report.contrasts:
        return []
    lines = [
        f"{row.kind:<{width}}  {row.pairs:5}  {row.median_cosine:6.3f}  {row.flat:5.0%}  {row.alone:11.0%}  "
        f"{row.stages:8.0%}  {row.judged_share:8.1%}  {row.usual_judge:10.0%}"
        for row in report.contrasts
    ]
    columns = f"{'':<{width}}  pairs  cosine  >=.90  calibration  no model  to model  judge {JUDGE_RIGHT:.0%}"
    return ["", "not duplicates, made of these texts; the share that is called one:", columns, *lines]
