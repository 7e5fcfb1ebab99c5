"""What is wrong with a judge by its figures, and what to set; pure. The words are docs/quality.md's."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gather_worker.department.quality import RUBRIC_PARTS, WEIGHTS
from gather_worker.department.stop_rule import PLATEAU_GAIN
from tests.evals.judge.agreement import Estimate
from tests.evals.judge.effects import Effects
from tests.evals.judge.questions import YES_MIN
from tests.evals.judge.set_agreement import SetAgreement

CHANCE: Final = 0.5
YES_MARGIN: Final = 0.1
"""By so much a share of yes may be beside the people's."""
POSITION_POINTS_MIN: Final = 3.0
"""Of a part; 1.8 of the score at most."""
AGREES_MIN: Final = 0.6
"""Below this what is seen is near to chance, whatever more items would show."""
LENGTH_MIN: Final = 0.3
"""A medium correlation (Cohen 1988)."""
REPEATS_POINTS_MAX: Final = 5.0
UNQUOTED_MAX: Final = 0.1
MISSING_MAX: Final = 0.1
MEDIAN_DEVIATION: Final = {1: 1.0, 3: 0.67, 5: 0.536}
"""Deviation of the median of so many normal readings, by one reading's. Source: Teichroew (1956)."""


class Fault(StrEnum):
    """What can be wrong with a judge, the worst first; the words are printed."""

    CHANCE = "agrees with people no better than chance"
    FEW = "cannot be told from chance by so few items"
    YES = "says yes too often"
    NO = "says no too often"
    UNQUOTED = "quotes what does not stand in the notes"
    POSITION = "goes by the order"
    LENGTH = "goes by the length"
    REPEATS = "says something else when asked again"
    MISSING = "gives no usable answer"


PUBLISHED: Final = (
    "Published judges say yes in 67–96 % of cases in which experts say yes in 34 %; such a judge ends a "  # noqa: RUF001 - a range
    "department before its notes are good."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault in a set or in all sets of a kind, with its figures in words."""

    fault: Fault
    of: str
    words: str


@dataclass(frozen=True, slots=True)
class Advice:
    """What to set; lines for people, the settings by name."""

    repeats: int | None
    is_other_judge_due: bool
    threshold_shift: int
    lines: tuple[str, ...]


def findings_of(sets: Sequence[SetAgreement], effects: Sequence[Effects]) -> list[Finding]:
    """Return what is surely wrong, by the intervals' ends, the worst first."""
    found = [Finding(fault, each.name, words) for each in sets for fault, words in _of_set(each) if words]
    found += [Finding(fault, each.name, words) for each in effects for fault, words in _of_all(each) if words]
    return sorted(found, key=lambda finding: list(Fault).index(finding.fault))


def _of_set(figures: SetAgreement) -> Iterator[tuple[Fault, str]]:
    right = figures.order_right
    if right is not None and not right.above(CHANCE):
        fault = Fault.CHANCE if right.value < AGREES_MIN else Fault.FEW
        yield fault, f"order right {_between(right, 2)}, chance is 0.50"
    yield Fault.YES, _share(figures) if _yes_is_beyond(figures, 1) else ""
    yield Fault.NO, _share(figures) if _yes_is_beyond(figures, -1) else ""


def _of_all(figures: Effects) -> Iterator[tuple[Fault, str]]:
    yield Fault.UNQUOTED, _unquoted(figures)
    yield Fault.POSITION, _position(figures)
    yield Fault.LENGTH, _length(figures)
    yield Fault.REPEATS, _repeats(figures)
    yield Fault.MISSING, _missing(figures)


def _yes_is_beyond(figures: SetAgreement, sign: int) -> bool:
    yes, people = figures.yes, figures.people_yes
    if yes is None or people is None:
        return False
    nearest = yes.low if sign > 0 else yes.high
    return sign * (nearest - people) > 0 and sign * (yes.value - people) >= YES_MARGIN


def _share(figures: SetAgreement) -> str:
    yes, people = figures.yes, figures.people_yes
    return f"yes to {yes.value:.0%} [{yes.low:.0%}, {yes.high:.0%}], people to {people:.0%}" if yes else ""


def _unquoted(figures: Effects) -> str:
    share = figures.unquoted
    is_much = share is not None and share.value > UNQUOTED_MAX
    return f"no quote behind {share.value:.0%} of the answers" if share and is_much else ""


def _position(figures: Effects) -> str:
    moved = figures.position
    is_much = moved is not None and moved.above(0) and moved.value >= POSITION_POINTS_MIN
    return f"the reversed order moves it by {_between(moved)} points" if moved and is_much else ""


def _length(figures: Effects) -> str:
    length = figures.length
    if length is None or abs(length.value) < LENGTH_MIN or length.low <= 0 <= length.high:
        return ""
    favoured = "longer" if length.value > 0 else "shorter"
    return f"{favoured} is better to it: correlation {_between(length, 2)}"


def _repeats(figures: Effects) -> str:
    repeats = figures.repeats
    is_much = repeats is not None and repeats.value > REPEATS_POINTS_MAX
    return f"deviation {_between(repeats)} points" if repeats and is_much else ""


def _missing(figures: Effects) -> str:
    wanted = figures.failed + figures.readings
    is_much = figures.failed > MISSING_MAX * wanted
    return f"{figures.failed} of {wanted} answers" if is_much else ""


def _between(figure: Estimate, digits: int = 1) -> str:
    return f"{figure.value:.{digits}f} [{figure.low:.{digits}f}, {figure.high:.{digits}f}]"


# --- what to set


def advice_of(sets: Sequence[SetAgreement], findings: Sequence[Finding]) -> Advice:
    """Return what to set for this judge."""
    deviation = score_deviation(sets)
    repeats = None if deviation is None else _repeats_for(deviation)
    by_fault = {finding.fault for finding in findings}
    is_other_due = bool(by_fault & {Fault.CHANCE, Fault.UNQUOTED, Fault.LENGTH, Fault.MISSING})
    shift = 0 if Fault.CHANCE in by_fault or Fault.YES not in by_fault else threshold_shift(sets, findings)
    lines = []
    if repeats and deviation is not None:
        left = deviation * MEDIAN_DEVIATION[repeats]
        lines.append(
            f"GATHER_JUDGE_REPEATS={repeats}: the same notes' score then varies by {left:.1f} points"
            + (
                ""
                if left <= PLATEAU_GAIN
                else f", still more than the {PLATEAU_GAIN:g} that counts as a rise"
            )
        )
    if is_other_due:
        lines.append("GATHER_JUDGE_MODEL: another model; repeats mend chance and order, nothing else")
    if Fault.FEW in by_fault:
        lines.append('ARGS="--items 200": more items, before the agreement is believed or not')
    if shift:
        lines.append(f"qualityThreshold {shift} points higher, so that a yes is worth what people's is")
    return Advice(repeats, is_other_due, shift, tuple(lines))


def score_deviation(sets: Sequence[SetAgreement]) -> float | None:
    """Return the deviation of a department's score over readings of the same notes, in points.

    Of a part that no set is about the largest of the others is taken.
    """
    known = {each.part: each.spread for each in sets if each.part and each.spread is not None}
    if not known:
        return None
    worst = max(known.values())
    return math.hypot(*(WEIGHTS[part] * known.get(part, worst) for part in RUBRIC_PARTS))


def _repeats_for(deviation: float) -> int:
    enough = (count for count, share in MEDIAN_DEVIATION.items() if deviation * share <= PLATEAU_GAIN)
    return next(enough, max(MEDIAN_DEVIATION))


def threshold_shift(sets: Sequence[SetAgreement], findings: Sequence[Finding]) -> int:
    """Return by how many points the score of notes that people only just accept is above the rubric's."""
    too_often = {finding.of for finding in findings if finding.fault is Fault.YES}
    cuts = {each.part: each.cut for each in sets if each.name in too_often and each.part and each.cut}
    return max(0, round(sum(WEIGHTS[part] * (cut - YES_MIN) for part, cut in cuts.items())))
