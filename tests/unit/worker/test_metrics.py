"""The meter: what is counted once, added over attempts, and kept apart from the model's time."""

import asyncio

import pytest

from gather_contracts.meters import BOUNDS_S, Meters, Timer, counts_of, sum_s
from gather_worker.metrics import METER, Meter, metered
from tests.support.fake_clock import FakeClock


@pytest.fixture
def meter(clock: FakeClock) -> Meter:
    return Meter(clock)


def test_a_time_is_counted_in_its_bucket_whatever_ended_the_block(meter: Meter, clock: FakeClock) -> None:
    """A bound belongs to the bucket below it; what raises has taken its time too."""

    def break_off() -> None:
        with meter.timing(Timer.STORE):
            clock.now_s += BOUNDS_S[3]
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        break_off()
    with meter.timing(Timer.STORE):
        clock.now_s += 1000
    tally = meter.totals().times[Timer.STORE]
    counts = counts_of(tally)
    assert sum_s(tally) == pytest.approx(1000 + BOUNDS_S[3])
    assert [place for place, count in enumerate(counts) if count] == [3, len(BOUNDS_S)]
    assert len(counts) == len(BOUNDS_S) + 1


def test_questions_to_the_model_at_the_same_time_count_once(meter: Meter, clock: FakeClock) -> None:
    """Own time is what is left of the wall's; a wait begun inside another adds only what goes beyond."""
    end = meter.start_lap()
    clock.now_s += 1
    with meter.waiting_for_model():
        clock.now_s += 2
        with meter.waiting_for_model():
            clock.now_s += 3
    with meter.waiting_for_model():
        clock.now_s += 4
    lap = end()
    assert (lap.wall_s, lap.model_s, lap.own_s) == (10, 9, 1)
    assert lap.log_fields()["own_ms"] == 1000
    assert sum_s(meter.totals().times[Timer.OWN]) == 1


def test_a_question_that_outlives_its_iteration_is_a_part_of_both(meter: Meter, clock: FakeClock) -> None:
    """The next notes may be asked for before the last ones are scored."""
    first = meter.start_lap()
    clock.now_s += 1
    with meter.waiting_for_model():
        clock.now_s += 2
        laps = [first()]
        second = meter.start_lap()
        clock.now_s += 3
    clock.now_s += 4
    laps.append(second())
    assert [(lap.wall_s, lap.model_s, lap.own_s) for lap in laps] == [(3, 2, 1), (7, 3, 4)]


def test_a_start_ends_with_the_first_question_to_the_model(meter: Meter, clock: FakeClock) -> None:
    """And only with the first."""
    meter.begin(clock.now_s)
    clock.now_s += 0.75
    for _ in range(2):
        with meter.waiting_for_model():
            clock.now_s += 1
    tally = meter.totals().times[Timer.START]
    assert (sum_s(tally), sum(counts_of(tally))) == (0.75, 1)


def test_a_successor_adds_to_what_was_kept(meter: Meter, clock: FakeClock) -> None:
    """Totals are of all attempts, and writing them twice changes nothing."""
    kept = Meters(
        times={Timer.BRAIN: [5_000, 1]}, items=[0, 1], written=6, evaluations_failed=1, judge_parts=[3]
    )
    meter.resume(kept)
    assert meter.totals() == kept
    with meter.timing(Timer.BRAIN):
        clock.now_s += 0.02
    meter.judged(8, 2)
    meter.evaluated(is_sent=True)
    meter.heard(9, 2)
    meter.reached(61.5)
    total = meter.totals([50.0, None, 70.0, 71.0])
    assert total == meter.totals([50.0, None, 70.0, 71.0])
    assert total.times == {Timer.BRAIN: [25_000, 1, 0, 1]}
    assert (total.items, total.written, total.kept) == ([0, 1, 1], 14, 3)
    assert total.scores == [50.0, None, 70.0]
    assert (total.evaluations_sent, total.evaluations_failed, total.threshold_ms) == (1, 1, 61_500)
    assert total.judge_parts == [10, 2]


async def test_a_metered_function_is_counted_when_it_is_cancelled() -> None:
    """As a call is when SIGTERM comes."""

    @metered(Timer.EVALUATION)
    async def work() -> None:
        await asyncio.Event().wait()

    before = counts_of(METER.totals().times.get(Timer.EVALUATION, []))
    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    after = counts_of(METER.totals().times[Timer.EVALUATION])
    assert sum(after) == sum(before) + 1
