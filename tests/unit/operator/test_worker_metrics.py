"""What workers measured comes out at /metrics, each department once."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gather_contracts.meters import Meters, Timer
from gather_contracts.resource import parse_run
from gather_contracts.result import StopReason
from gather_operator.metrics import REGISTRY
from gather_operator.worker_metrics import count_ends

METERS = Meters(
    times={Timer.STORE: [30_000, 1, 2], Timer.MODEL: [7_000_000, *[0] * 10, 1]},
    items=[1, 0, 0, 0, 0, 0, 0, 2],
    written=20,
    scores=[40.0, None, 82.0],
    threshold_ms=61_000,
    evaluations_sent=1,
    judge_parts=[5, 4],
)
ENDED = {"phase": "Succeeded", "reason": "ThresholdReached", "attempt": 2, "iterations": 3,
         "qualityScore": 82, "costUSD": 0.5, "tokens": 900}  # fmt: skip


@pytest.fixture
def gained() -> Callable[..., float]:
    """Return how much a sample has gained since the test began."""

    def read() -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        text = generate_latest(REGISTRY).decode()
        families = text_string_to_metric_families(text)
        return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}

    before = read()

    def gained(name: str, **labels: str) -> float:
        key = (f"gather_{name}", frozenset(labels.items()))
        return read().get(key, 0.0) - before.get(key, 0.0)

    return gained


def written_with(build: Any, **department: Any) -> Any:
    """Return the status of a run whose first department stands so."""
    departments = build.departments("story", "world", **department)
    return build.run(status={"phase": "Running", "departments": departments}).status


def attempts(build: Any) -> list[Any]:
    """Return a first attempt that was killed and a second that ended well."""
    first = build.pod("story", attempt=1, phase="Failed", reason="OOMKilled",
                      started="2026-05-01T11:00:04+00:00", ended="2026-05-01T11:01:04+00:00")  # fmt: skip
    second = build.pod("story", attempt=2, phase="Succeeded",
                       result=build.result(meters=METERS))  # fmt: skip
    return [first, second]


def test_a_department_s_end_is_counted_with_all_that_its_workers_measured(
    build: Any, gained: Callable[..., float]
) -> None:
    """Every name that the requirements ask for has gained what the result says."""
    run = build.run(status={"departments": build.departments("story", "world", phase="Running")})
    count_ends(run, written_with(build, **ENDED), attempts(build))
    assert gained("departments_ended_total", phase="Succeeded", reason="ThresholdReached") == 1
    assert gained("department_retries_total") == 1
    assert gained("attempts_total", outcome="OOMKilled") == 1
    assert gained("attempts_total", outcome="ThresholdReached") == 1
    assert gained("attempt_duration_seconds_sum") == 60
    assert gained("attempt_queue_wait_seconds_sum") == 3
    assert gained("department_iterations_bucket", le="3.0") == 1
    assert gained("iteration_items_sum") == 14
    assert gained("iteration_items_bucket", le="0.0") == 1
    assert gained("department_quality_score_sum", iteration="1") == 40
    assert gained("department_quality_score_count", iteration="2") == 0
    assert gained("department_quality_score_sum", iteration="3") == 82
    assert gained("department_quality_score_sum", iteration="last") == 82
    assert gained("notes_total", outcome="kept") == 14
    assert gained("notes_total", outcome="duplicate") == 6
    assert gained("department_time_to_threshold_seconds_sum") == 61
    assert gained("evaluations_total", result="sent") == 1
    assert gained("judge_parts_total", outcome="counted") == 5
    assert gained("judge_parts_total", outcome="unquoted") == 4
    assert gained("model_cost_usd_total") == 0.5
    assert gained("model_tokens_total") == 900
    assert gained("worker_mongodb_duration_seconds_bucket", le="0.005") == 1
    assert gained("worker_mongodb_duration_seconds_bucket", le="0.01") == 3
    assert gained("worker_mongodb_duration_seconds_bucket", le="+Inf") == 3
    assert gained("worker_mongodb_duration_seconds_sum") == pytest.approx(0.03)
    assert gained("worker_model_duration_seconds_bucket", le="3.0") == 0
    assert gained("worker_model_duration_seconds_count") == 1


def test_a_department_that_has_ended_before_is_not_counted_again(
    build: Any, gained: Callable[..., float]
) -> None:
    """Later writes of the same run bring it along."""
    status = written_with(build, **ENDED)
    run = build.run(status=status.model_dump(mode="json", by_alias=True, exclude_none=True))
    count_ends(run, status, attempts(build))
    assert gained("departments_ended_total", phase="Succeeded", reason="ThresholdReached") == 0
    assert gained("notes_total", outcome="kept") == 0


def test_a_failed_department_counts_what_its_last_result_says(
    build: Any, gained: Callable[..., float]
) -> None:
    """The attempt after it left no result; unknown reasons get no label of their own."""
    measured = build.pod("story", attempt=1, phase="Failed",
                     result=build.result(reason=StopReason.MODEL_UNAVAILABLE, meters=METERS))  # fmt: skip
    lost = build.pod("story", attempt=2, phase="Failed", reason="NobodyKnows")
    run = build.run(status={"departments": build.departments("story", phase="Running")})
    ended = {**ENDED, "phase": "Failed", "reason": "SomethingNew"}
    count_ends(run, written_with(build, **ended), [measured, lost])
    assert gained("departments_ended_total", phase="Failed", reason="Other") == 1
    assert gained("attempts_total", outcome="Lost") == 1
    assert gained("notes_total", outcome="kept") == 14


def test_a_skipped_department_has_no_attempts(build: Any, gained: Callable[..., float]) -> None:
    """It is an end, and nothing was measured."""
    run = build.run(status={"departments": build.departments("story")})
    skipped = written_with(build, phase="Skipped", reason="IterationsExhausted")
    count_ends(run, skipped, [])
    assert gained("departments_ended_total", phase="Skipped", reason="IterationsExhausted") == 1
    assert gained("department_iterations_count") == 0


def test_a_run_s_end_is_counted_with_its_times(build: Any, gained: Callable[..., float]) -> None:
    """The time from its creation to its first Job is its wait; time stamps that are missing count nothing."""
    body = build.body(status={"phase": "Running"})
    body["metadata"]["creationTimestamp"] = "2026-05-01T11:00:00Z"
    run = parse_run(body)
    departments = build.departments("story", startTime="2026-05-01T11:00:02.500Z", phase="Succeeded")
    ended = build.run(
        status={"phase": "Succeeded", "departments": departments, "startTime": "2026-05-01T11:00:01.000Z",
                "completionTime": "2026-05-01T11:05:01.000Z"}
    )  # fmt: skip
    count_ends(run, ended.status, [])
    assert gained("runs_ended_total", phase="Succeeded") == 1
    assert gained("run_duration_seconds_sum", phase="Succeeded") == 300
    assert gained("run_queue_wait_seconds_sum") == 2.5


def test_counters_are_there_from_the_start() -> None:
    """No rate counts an event that begins a series; calls and events have names that are not closed lists."""
    code = (
        "from gather_operator.worker_metrics import REGISTRY\n"
        "found = [each for each in REGISTRY.collect() if each.type == 'counter']\n"
        "print(*sorted(each.name for each in found if not each.samples))"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert shown.split() == ["gather_operator_announcements", "gather_operator_api_errors"]
