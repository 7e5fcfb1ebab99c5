"""Which texts treat a department beyond doubt: near to it, and to nothing else; each by itself."""

import numpy as np
import pytest

from gather_brain.coverage.analysis import measure, plan_measurement
from gather_brain.coverage.film_departments import DEPARTMENTS
from gather_brain.coverage.treatment import (
    COMPARED,
    COSINE_MIN,
    NO_MATTER,
    NO_MATTER_MARGIN,
    RELEVANCE_MIN,
    TRADE_COSINE_MAX,
    TRADE_MARGIN,
    TRADES,
    matter_of,
    treating,
)
from gather_brain.vectors import Matrix, unit_rows

AXES = 3 + 8
"""The department, another trade, what is no trade's matter, and room for what is about none of them."""
SURE = np.float32(RELEVANCE_MIN)


def text(matter: float, trade: float = 0.0, nothing: float = 0.0, rest: int = 0) -> Matrix:
    """Return a unit row with these cosines."""
    row = np.zeros(AXES, np.float32)
    row[:3] = matter, trade, nothing
    row[3 + rest] = np.sqrt(1 - np.square(row[:3]).sum())
    return row


def found(*texts: Matrix, relevance: float = RELEVANCE_MIN, rival: float = 0.0) -> list[int]:
    """Return the places that are found; `rival` is the trades' cosine with the department."""
    matter = text(1.0)
    trade = text(rival, np.sqrt(1 - rival**2))
    nothing = text(0.0, 0.0, 1.0)
    rows = np.stack([matter, *[trade] * len(TRADES), *[nothing] * len(NO_MATTER), *texts])
    return treating(rows, np.full(len(texts), relevance, np.float32))


@pytest.mark.parametrize(
    ("row", "is_found"),
    [
        pytest.param(text(COSINE_MIN + 0.01), True, id="near enough"),
        pytest.param(text(COSINE_MIN - 0.01), False, id="not near enough"),
        pytest.param(text(0.5, 0.5 - TRADE_MARGIN - 0.01), True, id="of two trades"),
        pytest.param(text(0.5, 0.5 - TRADE_MARGIN + 0.01), False, id="of another trade"),
        pytest.param(text(0.5, 0.0, 0.5 - NO_MATTER_MARGIN - 0.01), True, id="hardly chatter"),
        pytest.param(text(0.5, 0.0, 0.5 - NO_MATTER_MARGIN + 0.01), False, id="chatter"),
    ],
)
def test_a_text_must_be_near_to_the_department_and_to_nothing_else(row: Matrix, *, is_found: bool) -> None:
    """Each bound by itself."""
    assert found(row) == ([0] if is_found else [])


def test_it_must_be_about_one_of_the_aspects() -> None:
    """Nearness to the whole alone is too little."""
    assert found(text(0.9), relevance=RELEVANCE_MIN - 0.01) == []


def test_a_trade_that_is_the_department_by_another_name_is_no_rival() -> None:
    """Story and screenplay do not compete with each other."""
    near = text(0.6, 0.7)
    assert found(near, rival=TRADE_COSINE_MAX - 0.01) == []
    assert found(near, rival=TRADE_COSINE_MAX + 0.01) == [0]


def test_each_is_judged_by_itself_and_the_nearest_come_first() -> None:
    """So neither order nor other texts matter."""
    texts = [text(0.3), text(0.1), text(0.7, rest=1), text(0.5, 0.6), text(0.4, rest=2)]
    places = found(*texts)
    assert places == [2, 4, 0]
    turned = found(*texts[::-1])
    assert [len(texts) - 1 - place for place in turned] == places
    assert [place for place in range(len(texts)) if found(texts[place])] == sorted(places)


def test_what_a_department_is_for_has_words_even_without_a_description() -> None:
    """Those of the built-in list."""
    assert matter_of("story-department", "plot, pacing") == "story department: plot, pacing"
    assert "dialogue" in matter_of("story", " ")
    assert len(TRADES) == len(DEPARTMENTS)


def test_a_measurement_looks_for_them_only_if_that_is_wanted() -> None:
    """Its other findings are the same."""
    rng = np.random.default_rng(7)
    notes = [("a", "The plot turns twice."), ("b", "A lens of 35 mm."), ("c", "the plot TURNS twice")]
    plain = plan_measurement("story", "plot structure, pacing", notes)
    asked = plan_measurement("story", "plot structure, pacing", notes, finds_treating=True)
    assert asked.texts[: len(plain.texts)] == plain.texts
    assert len(asked.texts) == len(plain.texts) + 1 + len(COMPARED) + len(asked.items)
    rows = unit_rows(rng.normal(size=(len(asked.texts), 32)).astype(np.float32))
    first, second = measure(plain, rows[: len(plain.texts)]), measure(asked, rows)
    assert first.treating_ids == ()
    assert (first.coverage, first.depth, first.coherence) == (second.coverage, second.depth, second.coherence)
    assert measure(plan_measurement("story", "", [], finds_treating=True), rows[:0]).treating_ids == ()
