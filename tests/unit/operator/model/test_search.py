"""A small search over the operator's decisions; `make search` is the large one."""

import logging
from collections.abc import Iterator

import pytest

from tests.model.mutants import MUTANTS, Mutant, hunt
from tests.model.search import Limits, Model, Search, replay, starts, undisturbed
from tests.model.state import CONFIGS


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of passes would each log their actions."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_an_undisturbed_run_of_the_model_is_a_run() -> None:
    """Else the search would search nothing."""
    model = Model()
    ends = [undisturbed(model, config)[-1] for config in range(len(CONFIGS))]
    statuses = [model.operator.book.status(end.run.status) for end in ends if end.run is not None]
    assert [str(status.phase) for status in statuses] == ["Succeeded"] * len(CONFIGS)
    assert [status.progress for status in statuses] == ["3/3"] * len(CONFIGS)
    assert [sum(d.iterations for d in status.departments) for status in statuses] == [4, 4, 2]
    assert str(statuses[2].departments[2].phase) == "Skipped"


def test_one_fault_at_any_point_of_a_run_breaks_no_promise() -> None:
    """Each fault at each step of a run of three departments, and from there to its end."""
    model = Model()
    found = Search(model, Limits(depth=3)).run(starts(model, [0], 1))
    assert found.line == "", found.details
    assert found.followed > 2_000


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if not m.is_slow], ids=lambda m: m.name)
def test_the_search_finds_what_is_broken_on_purpose(mutant: Mutant) -> None:
    """And its line shows it again; without the mutant it shows nothing."""
    found = hunt(mutant)
    assert found.invariant == mutant.invariant
    with mutant.patch():
        model = Model(has_resync=mutant.has_resync, looks_again=mutant.looks_again)
        violation = replay(found.line, model, is_loud=False)
    assert violation is not None
    assert violation.invariant == mutant.invariant
