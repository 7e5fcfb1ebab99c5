"""The charts' alerts: each is tested (tests/contract/charts/test_alerts.py), explained and exact."""

import re
from collections.abc import Iterator

import pytest
from prometheus_client.core import Metric

from dev.paths import ROOT
from gather_brain.metrics import Metrics
from gather_bridge.celery_door.celery_metrics import CeleryMetrics
from gather_bridge.http_door.door_metrics import DoorMetrics
from gather_operator.metrics import REGISTRY
from gather_operator.worker_metrics import WORKER_TIMES
from tests.support.alerts.all_alert_cases import CASES
from tests.support.alerts.recorded_series import rules
from tests.support.monitoring.alert_faults import BY_TIME, FAULTS

RULES = rules()
QUANTILE = re.compile(
    r"histogram_quantile\(0\.95,.*?\b((?:gather|celery|http)_\w+)_bucket.*?\) > ([\d.]+)", re.DOTALL
)
REGISTRIES = (
    REGISTRY,
    Metrics().registry,
    DoorMetrics().registry,
    CeleryMetrics("automated_gather_creation").registry,
)


@pytest.mark.parametrize("alert", RULES)
@pytest.mark.parametrize("fires", [True, False], ids=["fires", "stays quiet"])
def test_each_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(
    alert: str, fires: bool
) -> None:
    """A new rule without them fails here."""
    assert [case for case in CASES if (case.alert, case.fires) == (alert, fires)]


def test_each_alert_has_a_fault_that_lets_it_fire_on_a_cluster() -> None:
    """`make monitoring` causes them."""
    fired = [alert for fault in FAULTS for alert in fault.alerts]
    assert sorted([*fired, BY_TIME]) == sorted(RULES)


def test_cases_are_of_alerts_that_there_are() -> None:
    """Each with a name of its own."""
    assert {case.alert for case in CASES} <= set(RULES)
    assert len({(case.alert, case.name) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("alert", RULES)
def test_each_alert_is_explained(alert: str) -> None:
    """With what helps, in the table of docs/metrics.md or docs/doors.md; "…" stands for "GatherBrain"."""
    docs = "".join((ROOT / "docs" / name).read_text("utf-8") for name in ("metrics.md", "doors.md"))
    rows = "\n".join(line.split("|")[1] for line in docs.splitlines() if line.startswith("|"))
    assert re.search(rf"\b{alert}\b|…{alert.removeprefix('GatherBrain')}\b", rows)


def test_thresholds_of_percentiles_are_bounds_with_another_beyond() -> None:
    """Else they are guesses; and no percentile is ever above the last bound."""
    bounds = {
        family.name: {float(s.labels["le"]) for s in family.samples if "le" in s.labels} - {float("inf")}
        for family in _histograms()
    }
    found = [QUANTILE.search(rule["expr"]) for rule in RULES.values() if "histogram_quantile" in rule["expr"]]
    assert len(found) >= 14
    for match in found:
        assert match is not None
        threshold = float(match[2])
        assert threshold in bounds[match[1]], match
        assert threshold < max(bounds[match[1]]), match


def _histograms() -> Iterator[Metric]:
    brain, celery = Metrics(), CeleryMetrics("task")
    brain.request("/api/v1/nodes/batch", "POST", 200, 1)
    celery.wait.labels(queue="gather").observe(1)
    for registry in (brain.registry, celery.registry):
        yield from (family for family in registry.collect() if family.type == "histogram")
    yield from WORKER_TIMES.collect()


@pytest.mark.parametrize(
    ("metric", "labels"),
    [
        ("gather_evaluations_total", {"result": "failed"}),
        ("gather_door_callbacks_total", {"result": "given-up"}),
        ("gather_departments_ended_total", {"phase": "Failed", "reason": "AttemptsUsedUp"}),
        ("gather_departments_ended_total", {"phase": "Failed", "reason": "Other"}),
        ("gather_departments_ended_total", {"phase": "Succeeded", "reason": "QualityFlat"}),
        ("http_requests_total", {"endpoint": "/api/v1/nodes/batch", "method": "POST", "status": "503"}),
        ("rate_limit_exceeded_total", {"endpoint": "/api/v1/search/duplicates"}),
        (
            "gather_door_requests_total",
            {"endpoint": "/api/v1/tasks/submit", "method": "POST", "status": "503"},
        ),
        ("celery_task_total", {"task": "automated_gather_creation", "status": "FAILURE"}),
        # And what panels count.
        ("gather_notes_total", {"outcome": "duplicate"}),
        ("gather_judge_parts_total", {"outcome": "unquoted"}),
        ("gather_department_quality_score_count", {"iteration": "last"}),
        ("gather_door_limited_total", {"limit": "submit"}),
        ("gather_door_tasks_submitted_total", {"result": "new"}),
        ("gather_door_connections_dropped_total", {"why": "late"}),
    ],
)
def test_what_is_counted_is_there_before_the_first_event(metric: str, labels: dict[str, str]) -> None:
    """Prometheus' `increase` does not see the first event of a series that begins with it."""
    assert any(registry.get_sample_value(metric, labels) is not None for registry in REGISTRIES)
