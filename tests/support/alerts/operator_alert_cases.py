"""When the alerts on the operator, and on what workers measured, fire, and when not."""

from collections.abc import Callable, Sequence
from typing import Final

from gather_contracts.meters import BOUNDS_S, Timer, bucket
from gather_contracts.reasons import DepartmentPhase, DepartmentReason
from gather_contracts.result import StopReason
from gather_operator import metrics, worker_metrics
from gather_operator.metrics import REGISTRY
from tests.support.alerts.recorded_series import Case, Play, Series, nothing, recorded

Record = Callable[[Sequence[str]], list[Series]]


def operator(*plays: Play, **gauges: float) -> Record:
    """Return what records an operator whose gauges stand so before the first scrape."""

    def record(names: Sequence[str]) -> list[Series]:
        for name, value in gauges.items():
            getattr(metrics, name).set(value)
        return recorded(REGISTRY, names, plays)

    return record


def after(minutes: float, happens: Callable[[], None]) -> Record:
    """Return what records half an hour of nothing, then this once, then so many minutes."""
    return operator((30, nothing), (0.5, happens), (minutes, nothing))


def two_operators(names: Sequence[str]) -> list[Series]:
    """Record a release with a leader, and one without."""
    metrics.IS_LEADER.set(1)
    good = recorded(REGISTRY, names, [(5, nothing)], "production")
    metrics.IS_LEADER.set(0)
    return [*good, *recorded(REGISTRY, names, [(5, nothing)])]


def one_of_two_shards(names: Sequence[str]) -> list[Series]:
    """Record the leader of one shard, beside which there is none of the other."""
    metrics.IS_LEADER.set(1)
    metrics.SHARDS.set(2)
    found = recorded(REGISTRY, names, [(5, nothing)])
    metrics.SHARDS.set(1)
    return found


def ended(failed: int = 0, reached: int = 0, flat: int = 0, retries: int = 0) -> Callable[[], None]:
    """Return what lets so many departments end."""

    def happens() -> None:
        count = worker_metrics.DEPARTMENTS_ENDED.labels
        count(phase=DepartmentPhase.FAILED, reason=DepartmentReason.ATTEMPTS_USED_UP).inc(failed)
        count(phase=DepartmentPhase.SUCCEEDED, reason=StopReason.THRESHOLD_REACHED).inc(reached)
        count(phase=DepartmentPhase.SUCCEEDED, reason=StopReason.ITERATIONS_USED).inc(flat)
        worker_metrics.RETRIES.inc(retries)

    return happens


def timed(timer: Timer, *tallies: tuple[int, float]) -> Callable[[], None]:
    """Return what adds a department's times: so many of so many seconds."""

    def happens() -> None:
        counts = [0] * (len(BOUNDS_S) + 1)
        for count, seconds in tallies:
            counts[bucket(seconds)] += count
        total_us = round(sum(count * seconds for count, seconds in tallies) * 1e6)
        worker_metrics.WORKER_TIMES.add({timer: [total_us, *counts]})

    return happens


def times(*plays: Play) -> Record:
    """Return what records the times that workers measured."""
    return lambda names: recorded(worker_metrics.WORKER_TIMES, names, plays)


def slow_times(alert: str, timer: Timer, limit_s: float) -> list[Case]:
    """Return the cases of a 95th percentile of what workers measured."""
    fast, slow = limit_s / 10, limit_s * 1.001
    return [
        Case(alert, True, "one in ten too slow", times((30, timed(timer, (9, fast), (1, slow))))),
        Case(alert, False, "one in twenty too slow", times((30, timed(timer, (19, fast), (1, slow))))),
        Case(alert, False, "all exactly at the limit", times((30, timed(timer, (5, limit_s))))),
        Case(alert, True, "all beyond every bound", times((30, timed(timer, (5, 10_000))))),
        Case(
            alert, False, "a few of a night, all slow",
            times((5, nothing), (0.5, timed(timer, (5, slow))), (20, nothing)),
        ),
        Case(alert, False, "nothing runs", times((30, nothing))),
    ]  # fmt: skip


def _evaluation(result: str) -> Callable[[], None]:
    return lambda: worker_metrics.EVALUATIONS.labels(result=result).inc()


OPERATOR_CASES: Final = [
    Case("GatherOperatorAbsent", True, "not scraped", lambda _: [], {}),
    Case("GatherOperatorAbsent", False, "scraped", operator((10, nothing))),
    Case("GatherOperatorIdle", True, "no leader", operator((5, nothing), IS_LEADER=0)),
    Case("GatherOperatorIdle", True, "no leader beside another release's", two_operators),
    Case("GatherOperatorIdle", True, "a leader of one of two shards", one_of_two_shards),
    Case("GatherOperatorIdle", False, "a leader", operator((5, nothing), IS_LEADER=1)),
    Case(
        "GatherOperatorIdle", False, "a change of leaders",
        operator((1, lambda: metrics.IS_LEADER.set(0)), (2, lambda: metrics.IS_LEADER.set(1)), IS_LEADER=1),
    ),
    Case("GatherCrdOutdated", True, "a field is missing", operator((15, nothing), CRD_FIELDS_MISSING=1)),
    Case("GatherCrdOutdated", False, "none is missing", operator((15, nothing), CRD_FIELDS_MISSING=0)),
    Case("GatherEventLogDown", True, "down", operator((10, nothing), EVENT_LOG_UP=0)),
    Case("GatherEventLogDown", False, "up", operator((10, nothing), EVENT_LOG_UP=1)),
    Case("GatherDepartmentsFail", True, "three of ten", after(15, ended(3, 7))),
    Case("GatherDepartmentsFail", False, "three of fifteen", after(15, ended(3, 12))),
    Case("GatherDepartmentsFail", False, "one of two", after(15, ended(1, 1))),
    Case("GatherDepartmentsFail", False, "over an hour ago", after(75, ended(10))),
    Case("GatherAttemptsRetried", True, "eleven of five", after(15, ended(0, 5, retries=6))),
    Case("GatherAttemptsRetried", False, "ten of five", after(15, ended(0, 5, retries=5))),
    Case("GatherAttemptsRetried", False, "three of a single one", after(15, ended(0, 1, retries=2))),
    Case("GatherQualityNotReached", True, "three of five", after(45, ended(0, 2, 3))),
    Case("GatherQualityNotReached", False, "three of six", after(45, ended(0, 3, 3))),
    Case("GatherQualityNotReached", False, "the only one", after(45, ended(0, 0, 1))),
    *slow_times("GatherModelSlow", Timer.MODEL, 60),
    *slow_times("GatherIterationsSlow", Timer.OWN, 3),
    *slow_times("GatherMongoDBSlow", Timer.STORE, 0.4),
    Case("GatherEvaluationsFail", True, "the first one ever", after(10, _evaluation("failed"))),
    Case("GatherEvaluationsFail", False, "all are sent", operator((10, _evaluation("sent")))),
    Case("GatherEvaluationsFail", False, "over an hour ago", after(65, _evaluation("failed"))),
]  # fmt: skip
