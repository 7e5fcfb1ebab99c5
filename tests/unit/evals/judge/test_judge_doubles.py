"""The report names the fault of each judge whose fault is known, and none of one that has none."""

from typing import Any

import pytest

from dev.paths import ROOT
from tests.evals.judge import agreement
from tests.evals.judge.asking import sampled
from tests.evals.judge.faults import PUBLISHED, Fault
from tests.evals.judge.judge_report import Measured, measured
from tests.evals.judge.judge_tables import markdown_of
from tests.evals.judge.own_sets import own_sets
from tests.support.judges import judge_doubles as doubles

SETS = [sampled(each, 16) for each in own_sets()]
HEAD = {"model": "m/j", "endpoint": "http://m", "at": "now", "requests": 9, "costUSD": 0.1, "maxCostUSD": 1,
        "isCapReached": False}  # fmt: skip


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals by fewer draws: a little rougher, and soon there."""
    monkeypatch.setattr(agreement, "DRAWS", 100)


async def judged(say: doubles.Say, **options: Any) -> Measured:
    gateway = doubles.JudgeDouble(say, doubles.labels_of(SETS), **options).gateway()
    try:
        return await measured(gateway, "m/j", SETS)
    finally:
        await gateway.close()


def faults_in(found: Measured) -> set[Fault]:
    return {finding.fault for finding in found.findings}


async def test_a_judge_that_agrees_with_people_has_no_fault() -> None:
    """One reading is enough, and nothing is to be set."""
    found = await judged(doubles.perfect)
    assert found.findings == []
    assert (found.advice.repeats, found.advice.is_other_judge_due, found.advice.threshold_shift) == (
        1,
        False,
        0,
    )
    assert all(each.order_right and each.order_right.value == 1 for each in found.sets)
    assert [each.kappa.value for each in found.sets if each.kappa] == [1, 1, 1]


async def test_one_that_says_yes_to_all_is_told_by_its_share() -> None:
    """In the words that docs/quality.md has, with what is published beside it."""
    found = await judged(doubles.says_yes)
    assert faults_in(found) == {Fault.YES, Fault.CHANCE}
    assert found.advice.is_other_judge_due
    text = markdown_of(HEAD, found.sets, found.effects, found.findings, found.advice)
    assert f"**{Fault.YES.value}**" in text
    assert "yes to 100% [100%, 100%], people to 50%" in text
    assert PUBLISHED in text


async def test_one_that_says_no_to_all_is_told_too() -> None:
    """Its departments never end."""
    found = await judged(doubles.says_no)
    assert faults_in(found) == {Fault.NO, Fault.CHANCE}


async def test_one_that_goes_by_the_order_is_told_and_repeats_help() -> None:
    """Each of a worker's readings has another order, and their median counts."""
    found = await judged(doubles.goes_by_order)
    assert faults_in(found) == {Fault.POSITION}
    assert found.advice.repeats is not None
    assert found.advice.repeats > 1
    assert not found.advice.is_other_judge_due


async def test_one_that_goes_by_the_length_is_told_and_repeats_do_not_help() -> None:
    """Neither does another order."""
    found = await judged(doubles.goes_by_length)
    assert Fault.LENGTH in faults_in(found)
    assert not faults_in(found) & {Fault.POSITION, Fault.REPEATS, Fault.UNQUOTED, Fault.MISSING}
    assert found.advice.is_other_judge_due
    assert found.advice.repeats == 1


async def test_one_that_throws_dice_is_told_twice() -> None:
    """It agrees with nobody, not even with itself; but it does not go by order or length."""
    found = await judged(doubles.throwing_dice())
    assert {Fault.CHANCE, Fault.REPEATS} <= faults_in(found)
    assert Fault.POSITION not in faults_in(found)
    assert found.advice.is_other_judge_due
    assert found.advice.repeats == 5


async def test_one_that_wavers_needs_repeats_alone() -> None:
    """It agrees with people in the mean."""
    found = await judged(doubles.wavering())
    assert faults_in(found) == {Fault.REPEATS}
    assert (found.advice.repeats, found.advice.is_other_judge_due) == (5, False)


async def test_one_that_invents_its_quotes_is_not_believed_whatever_it_says() -> None:
    """Its scores are right, and do not count."""
    found = await judged(doubles.perfect, invents_quotes=True)
    assert faults_in(found) == {Fault.UNQUOTED}
    assert found.advice.is_other_judge_due
    assert found.effects[0].unquoted
    assert found.effects[0].unquoted.value > 0.6


async def test_one_that_often_gives_no_verdict_is_told() -> None:
    """What it does say counts."""
    found = await judged(doubles.perfect, is_silent=lambda put: put.number % 4 == 0)
    assert faults_in(found) == {Fault.MISSING}


def test_the_words_are_those_of_the_documentation() -> None:
    """Whoever is warned finds there what it means."""
    page = " ".join((ROOT / "docs" / "quality.md").read_text(encoding="utf-8").split())
    assert PUBLISHED in page
    assert [fault for fault in Fault if fault.value not in page] == []
