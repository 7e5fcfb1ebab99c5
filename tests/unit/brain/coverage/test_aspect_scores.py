"""A note treats the aspect that its passages are nearest to, unless something else is nearer still."""

from collections.abc import Sequence

import numpy as np
import pytest

from gather_brain.coverage.aspect_scores import aspect_scores, likenesses, stacked, targets_of
from gather_brain.coverage.aspects import Aspect
from gather_brain.coverage.coverage_score import ITEM_SCORE_MIN
from gather_brain.coverage.evidence.constants import constants_of
from gather_brain.vectors import Matrix, unit_rows

AXES: Matrix = np.eye(40, dtype=np.float32)
FILM: Matrix = AXES[6:]
"""What other departments speak of, none of it near to what is said here."""
ASPECTS = [Aspect("pacing", ""), Aspect("lighting", ""), Aspect("costumes", "")]
STATEMENT = "mother sells farm brother buys field river floods village"
NO_TRADE: Matrix = AXES[[39]]
"""What notes are about that are of no trade."""
NO_COMMON: Matrix = np.zeros((0, 40), np.float32)


def _unit(*values: float) -> Matrix:
    return unit_rows(np.array([[*values, *([0.0] * (len(AXES) - len(values)))]], np.float32))


def _among_others(common: Matrix) -> Matrix:
    return np.concatenate([common, FILM])


def _scores(groups: Sequence[Matrix], common: Matrix = NO_COMMON, texts: Sequence[str] = ()) -> Matrix:
    count = sum(len(group) for group in groups)
    targets = targets_of([AXES[[0]], AXES[[1]], AXES[[2]]], ASPECTS, common, NO_TRADE)
    return aspect_scores(stacked(groups), texts or ["nothing said"] * count, targets, constants_of("any"))


def test_a_clear_passage_counts_for_its_aspect_and_a_strange_one_for_none() -> None:
    """What is about something else counts for nothing."""
    clear, strange = _scores([AXES[[0]], AXES[[5]]], _among_others(AXES[[5]]))
    assert clear[0] > 0.9
    assert clear[1:].max() < 0.05
    assert strange.max() < ITEM_SCORE_MIN


def test_an_item_counts_with_its_best_passage_for_each_aspect() -> None:
    """One note may treat two things."""
    (scores,) = _scores([np.concatenate([AXES[[0]], AXES[[1]]])])
    assert min(scores[:2]) > 10 * scores[2]


def test_another_trades_aspect_that_is_nearer_takes_from_the_score() -> None:
    """A note on sound counts less for costumes, though it is on the same film."""
    said = _unit(0.4, 0, 0, 0.9, 0, 0)
    nearer, other = (_among_others(AXES[[axis]]) for axis in (3, 4))
    assert _scores([said], nearer)[0, 0] < _scores([said], other)[0, 0]


def test_another_trades_name_for_the_same_aspect_is_no_rival() -> None:
    """Two departments may care for one thing."""
    assert _scores([AXES[[0]]], _among_others(_unit(0.9, 0.1)))[0, 0] > 0.9


def test_two_aspects_that_are_as_near_leave_more_doubt_than_one() -> None:
    """The nearest of the others alone does not see the second."""
    targets = targets_of([AXES[[0]], AXES[[1]], AXES[[2]]], ASPECTS, NO_COMMON, NO_TRADE)
    one, two = (
        likenesses(stacked([_unit(*said)]), ["nothing said"], targets)
        for said in ((0.6, 0.5, 0, 0.39**0.5), (0.6, 0.5, 0.5, 0.14**0.5))
    )
    assert one["margin"][0, 0] == pytest.approx(two["margin"][0, 0], abs=1e-6)
    assert one["lead"][0, 0] > two["lead"][0, 0] + 0.05
    alone = targets_of([AXES[[0]]], ASPECTS[:1], NO_COMMON, NO_TRADE)
    assert likenesses(stacked([AXES[[0]]]), ["nothing said"], alone)["lead"].tolist() == [[0.0]]


def test_a_lone_aspect_has_those_of_other_departments_beside_it() -> None:
    """What is nearer to them than to it counts for nothing, though no other of its own is there."""
    targets = targets_of([AXES[[0]]], ASPECTS[:1], FILM, NO_TRADE)
    elsewhere = likenesses(stacked([_unit(0.3, *[0.0] * 5, 0.9)]), ["nothing said"], targets)
    assert elsewhere["margin"] < -0.3
    assert elsewhere["lead"] < -0.3
    its_own = likenesses(stacked([AXES[[0]]]), ["nothing said"], targets)
    assert its_own["margin"] > 0.5


def test_aspects_that_no_list_knows_are_told_and_how_few_they_are() -> None:
    """A gloss says more of an aspect than its name, a statement says all itself, and five are enough."""
    three = [Aspect("pacing", ""), Aspect("lighting", "lamps, shadows"), Aspect(STATEMENT, "")]
    facets = [AXES[[0]], AXES[[1, 2]], AXES[[3]]]
    traits = targets_of(facets, three, NO_COMMON, NO_TRADE).traits
    assert traits["unknown"].tolist() == pytest.approx([(1 - 1 / 8) ** 2, 0, 0])
    assert traits["few"] == pytest.approx(traits["unknown"] * (1 - 3 / 5))
    names = [Aspect(name, "") for name in ("kites", "strings", "winds", "knots", "reels")]
    five = targets_of([AXES[[axis]] for axis in range(5)], names, NO_COMMON, NO_TRADE).traits
    assert min(five["unknown"]) > 0.7
    assert max(five["few"]) == 0


def test_a_departments_own_matter_is_apart_from_what_all_film_talk_has_in_common() -> None:
    """A note on film in general is as near to the whole matter as one on the department, less to its own."""
    facets = [_unit(0.8, 0.6), _unit(0.8, 0, 0.6)]
    common = np.concatenate([_unit(0.8, 0, 0, 0.6), _unit(0.8, 0, 0, 0, 0.6)])
    targets = targets_of(facets, ASPECTS[:2], common, NO_TRADE)
    general, special = _unit(1)[0], _unit(0.56, 0.59, 0.59)[0]
    assert general @ targets.matter == pytest.approx(special @ targets.matter, abs=0.02)
    assert general @ targets.own_matter < special @ targets.own_matter - 0.2
    alone = targets_of(facets, ASPECTS[:2], NO_COMMON, NO_TRADE)
    assert np.array_equal(alone.own_matter, alone.matter)


def test_what_is_of_no_trade_counts_for_less_where_no_list_knows_the_aspect() -> None:
    """Notes on meetings and lists could stand in any department."""
    targets = targets_of([AXES[[0]], AXES[[1]], AXES[[2]]], ASPECTS, FILM[:-1], NO_TRADE)
    constants = constants_of("any")
    nearer, other = (
        aspect_scores(stacked([said]), ["nothing said"], targets, constants)[0, 0]
        for said in (_unit(0.5, *[0.0] * 38, 0.75**0.5), _unit(0.5, *[0.0] * 4, 0.75**0.5))
    )
    assert nearer < other


def test_an_aspects_own_words_count() -> None:
    """Where the vectors leave it open."""
    said = _unit(0.2, 0.2, 0.2, 0, 0, 0.9)
    named, other = _scores([said], texts=["the pacing is slow"]), _scores([said], texts=["it is slow"])
    assert named[0, 0] > other[0, 0]


def test_an_items_scores_do_not_depend_on_the_other_items() -> None:
    """The law that an added item never lowers coverage rests on it."""
    rng = np.random.default_rng(5)
    groups = [unit_rows(rng.normal(size=(size, len(AXES))).astype(np.float32)) for size in (1, 3, 2)]
    together = _scores(groups, AXES[[3, 4]])
    alone = np.concatenate([_scores([group], AXES[[3, 4]]) for group in groups])
    assert together == pytest.approx(alone, abs=1e-5)
