"""What is done again and again becomes ever slower; everything else does not."""

from gather_operator.action_pacer import BACKOFF, CALM_S, FREE, ActionPacer
from gather_operator.decisions.actions import CreateJob, DeleteJob, HoldFinalizer, WriteDocument


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def carry_out(pacer: ActionPacer, clock: Clock, seconds: float, action: object) -> int:
    """Want the action every 50 ms for so long; return how often it was carried out."""
    count, ends_s = 0, clock.now_s + seconds
    while clock.now_s < ends_s:
        if not pacer.wait_s("a", action):  # type: ignore[arg-type]
            pacer.note("a", action)  # type: ignore[arg-type]
            count += 1
        clock.now_s += 0.05
    return count


def test_a_fight_over_a_finalizer_is_a_few_writes_a_minute() -> None:
    """Unbounded it was twenty a second."""
    clock = Clock()
    pacer = ActionPacer(clock)
    assert carry_out(pacer, clock, 15, HoldFinalizer()) == FREE + 3
    assert carry_out(pacer, clock, 3600, HoldFinalizer()) <= 3600 / BACKOFF.last_s + 4


def test_what_differs_is_not_held_up(build: object) -> None:
    """Each of 32 departments has a Job of its own, and another run has its own count."""
    clock = Clock()
    pacer = ActionPacer(clock)
    for index in range(32):
        assert pacer.wait_s("a", CreateJob(index, 1, 5)) == 0
        pacer.note("a", CreateJob(index, 1, 5))
    for _ in range(FREE):
        pacer.note("a", DeleteJob("x"))
    assert pacer.wait_s("a", DeleteJob("x")) > 0
    assert pacer.wait_s("a", DeleteJob("y")) == 0
    assert pacer.wait_s("b", DeleteJob("x")) == 0


def test_a_document_counts_whatever_it_says(build: object) -> None:
    """Its text would make the memory large."""
    clock = Clock()
    pacer = ActionPacer(clock)
    for number in range(FREE):
        pacer.note("a", WriteDocument(number))  # type: ignore[arg-type]
    assert pacer.wait_s("a", WriteDocument(99)) > 0  # type: ignore[arg-type]


def test_after_a_calm_time_it_begins_at_the_beginning() -> None:
    """A repair a week later is no fight."""
    clock = Clock()
    pacer = ActionPacer(clock)
    carry_out(pacer, clock, 60, HoldFinalizer())
    clock.now_s += CALM_S + 1
    assert pacer.wait_s("a", HoldFinalizer()) == 0
    pacer.note("a", HoldFinalizer())
    assert pacer.wait_s("a", HoldFinalizer()) == 0


def test_a_run_that_is_gone_is_forgotten() -> None:
    """With all its counts."""
    pacer = ActionPacer(Clock())
    pacer.note("a", HoldFinalizer())
    pacer.forget("a")
    assert pacer._done == {}
