"""What workers measured, for Prometheus: a pod is gone before it could be asked, so the operator adds it up.

A department is counted once, after the status write that says that it has ended. An operator that dies
between that write and a scrape loses what it had not shown yet; nothing is ever counted twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Final

from prometheus_client import Counter, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from gather_clients.web.metric_series import begin_at_zero
from gather_contracts.meters import (
    BOUNDS_S,
    COUNT_MAX,
    ITEMS_PER_ITERATION_MAX,
    SCORED_ITERATIONS,
    Meters,
    Timer,
    counts_of,
    sum_s,
)
from gather_contracts.reasons import DepartmentPhase, DepartmentReason, EndReason, RunPhase, WaitReason
from gather_contracts.resource import DepartmentStatus, GatherRun, GatherRunStatus
from gather_contracts.result import StopReason
from gather_operator.decisions.assessment import FINAL, job_names
from gather_operator.decisions.facts import PodFacts
from gather_operator.metrics import REGISTRY

LAST: Final = "last"
OTHER: Final = "Other"
"""The reason of a department that has none of ours."""
LOST: Final = "Lost"
"""The outcome of an attempt that left no result and whose end Kubernetes gives no known word for."""
OUTCOMES: Final = frozenset({*StopReason, *DepartmentReason, *EndReason, *WaitReason, LOST})
LONG_S: Final = (1, 2, 5, 10, 20, 30, 60, 120, 180, 300, 450, 600, 900, 1800, 3600, 7200)
POINTS: Final = (10, 20, 30, 40, 50, 60, 65, 70, 75, 80, 85, 90, 95, 100)
ITERATIONS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30, 50, 100, 200, 500)
TIMED: Final[Mapping[Timer, tuple[str, str]]] = {
    Timer.STORE: ("mongodb_duration", "One request to MongoDB."),
    Timer.BRAIN: ("brain_duration", "One question to the brain."),
    Timer.MODEL: ("model_duration", "One request to the language model."),
    Timer.DEDUPE: (
        "deduplication_duration",
        "Comparing an iteration's notes, with the model's verdicts.",
    ),
    Timer.ITERATION: ("iteration_duration", "One iteration."),
    Timer.OWN: ("iteration_own_duration", "One iteration without the time in which the model was awaited."),
    Timer.START: ("start_duration", "From a process's start to its first request to the model."),
    Timer.EVALUATION: ("evaluation_send_duration", "Queueing evaluate_department."),
}


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"gather_{name}", text, labels, registry=REGISTRY)


def _histogram(name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
    return Histogram(f"gather_{name}", text, labels, buckets=buckets, registry=REGISTRY)


RUNS_ENDED = _counter("runs_ended", "GatherRuns that have ended, by phase.", "phase")
RUN_SECONDS = _histogram(
    "run_duration_seconds", "From the departments' resolution to the run's end.", LONG_S, "phase"
)
RUN_WAIT = _histogram("run_queue_wait_seconds", "From a run's creation to its first Job.", LONG_S)
DEPARTMENTS_ENDED = _counter(
    "departments_ended", "Departments that have ended, by phase and reason.", "phase", "reason"
)
RETRIES = _counter("department_retries", "Attempts of departments after their first.")
ATTEMPTS = _counter("attempts", "Workers that have ended, by how.", "outcome")
ATTEMPT_SECONDS = _histogram("attempt_duration_seconds", "From a worker's start to its end.", LONG_S)
ATTEMPT_WAIT = _histogram(
    "attempt_queue_wait_seconds", "From a pod's creation to its container's start.", LONG_S
)
DEPARTMENT_ITERATIONS = _histogram("department_iterations", "Iterations of a department.", ITERATIONS)
ITERATION_ITEMS = _histogram(
    "iteration_items", "New notes of an iteration.", range(ITEMS_PER_ITERATION_MAX + 1)
)
QUALITY = _histogram(
    "department_quality_score", "Quality after so many iterations, and after the last.", POINTS, "iteration"
)
NOTES = _counter("notes", "Notes that models wrote, by what became of them.", "outcome")
TO_THRESHOLD = _histogram(
    "department_time_to_threshold_seconds", "From a department's start to its threshold.", LONG_S
)
EVALUATIONS = _counter("evaluations", "Tries to queue evaluate_department, by result.", "result")
JUDGE_PARTS = _counter(
    "judge_parts",
    "Parts of verdicts on quality, by whether a quote of the notes stands behind them.",
    "outcome",
)
COST = _counter("model_cost_usd", "Money spent on models.")
TOKENS = _counter("model_tokens", "Tokens used, in and out.")

begin_at_zero(RUNS_ENDED, phase=[phase for phase in RunPhase if phase.is_final])
begin_at_zero(DEPARTMENTS_ENDED, phase=[DepartmentPhase.FAILED], reason=sorted({*OUTCOMES, OTHER}))
begin_at_zero(DEPARTMENTS_ENDED, phase=[DepartmentPhase.SUCCEEDED], reason=StopReason)
begin_at_zero(ATTEMPTS, outcome=sorted(OUTCOMES))
begin_at_zero(EVALUATIONS, result=("sent", "failed"))
begin_at_zero(NOTES, outcome=("kept", "duplicate"))
begin_at_zero(JUDGE_PARTS, outcome=("counted", "unquoted"))
begin_at_zero(QUALITY, iteration=map(str, (*SCORED_ITERATIONS, LAST)))


class WorkerTimes(Collector):
    """Histograms that are added to by whole rows of buckets, which the library's own cannot."""

    def __init__(self) -> None:
        self._counts = {timer: [0] * (len(BOUNDS_S) + 1) for timer in Timer}
        self._sums_s = dict.fromkeys(Timer, 0.0)

    def add(self, times: Mapping[Timer, Sequence[int]]) -> None:
        """Add one department's times."""
        for timer, tally in times.items():
            added = zip(self._counts[timer], counts_of(tally), strict=True)
            self._counts[timer] = [one + other for one, other in added]
            self._sums_s[timer] += sum_s(tally)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield all of them."""
        bounds = [*(str(float(bound)) for bound in BOUNDS_S), "+Inf"]
        for timer, (name, text) in TIMED.items():
            family = HistogramMetricFamily(f"gather_worker_{name}_seconds", text)
            buckets = list(zip(bounds, map(float, accumulate(self._counts[timer])), strict=True))
            family.add_metric([], buckets, self._sums_s[timer])
            yield family


WORKER_TIMES: Final = WorkerTimes()
REGISTRY.register(WORKER_TIMES)


def count_ends(run: GatherRun, written: GatherRunStatus, pods: Sequence[PodFacts]) -> None:
    """Count what has ended with this write; `run` is as it was before, `pods` are the oldest first."""
    before = {department.slug: department.phase for department in run.status.departments}
    for department in written.departments:
        if department.phase in FINAL and before.get(department.slug) not in FINAL:
            known = job_names(run, department.slug)
            _count_department(department, [pod for pod in pods if pod.job_name in known])
    if written.phase.is_final and not run.status.phase.is_final:
        RUNS_ENDED.labels(phase=written.phase).inc()
        _observe(RUN_SECONDS.labels(phase=written.phase), written.start_time, written.completion_time)
        starts = [department.start_time for department in written.departments if department.start_time]
        _observe(RUN_WAIT, run.metadata.creation_timestamp, min(starts, default=None))


def _count_department(department: DepartmentStatus, pods: Sequence[PodFacts]) -> None:
    reason = department.reason if department.reason in OUTCOMES else OTHER
    DEPARTMENTS_ENDED.labels(phase=department.phase, reason=reason).inc()
    if not department.attempt:
        return
    RETRIES.inc(department.attempt - 1)
    DEPARTMENT_ITERATIONS.observe(department.iterations)
    COST.inc(department.cost_usd)
    TOKENS.inc(department.tokens)
    if department.iterations:
        QUALITY.labels(iteration=LAST).observe(department.quality_score)
    for pod in pods:
        outcome = pod.result.reason if pod.result is not None else pod.reason
        ATTEMPTS.labels(outcome=outcome if outcome in OUTCOMES else LOST).inc()
        _observe(ATTEMPT_WAIT, pod.created, pod.started)
        _observe(ATTEMPT_SECONDS, pod.started, pod.ended)
    # Each attempt carries the sum of all before it, so the last that left meters has them all.
    meters = [pod.result.meters for pod in pods if pod.result is not None and pod.result.meters is not None]
    if meters:
        _count_meters(meters[-1])


def _count_meters(meters: Meters) -> None:
    WORKER_TIMES.add(meters.times)
    for notes, iterations in enumerate(meters.items):
        for _ in range(min(iterations, ITERATIONS[-1])):
            ITERATION_ITEMS.observe(notes)
    NOTES.labels(outcome="kept").inc(meters.kept)
    NOTES.labels(outcome="duplicate").inc(max(0, meters.written - meters.kept))
    for number, score in zip(SCORED_ITERATIONS, meters.scores, strict=False):
        if score is not None:
            QUALITY.labels(iteration=str(number)).observe(score)
    if meters.threshold_ms is not None:
        TO_THRESHOLD.observe(meters.threshold_ms / 1000)
    EVALUATIONS.labels(result="sent").inc(meters.evaluations_sent)
    EVALUATIONS.labels(result="failed").inc(meters.evaluations_failed)
    for outcome, parts in zip(("counted", "unquoted"), meters.judge_parts, strict=False):
        JUDGE_PARTS.labels(outcome=outcome).inc(parts)


def _observe(histogram: Histogram, begun: str | None, ended: str | None) -> None:
    """Count the time between two RFC 3339 time stamps, if both are there."""
    if not begun or not ended:
        return
    try:
        seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds()
    except (ValueError, TypeError):
        return
    histogram.observe(min(max(0.0, seconds), float(COUNT_MAX)))
