"""The doors' metrics."""

from prometheus_client import CollectorRegistry

from gather_bridge.celery_door.celery_metrics import CeleryMetrics
from gather_bridge.http_door.door_metrics import DoorMetrics


def test_what_both_doors_measure_has_one_name() -> None:
    """One alert is for both: name, help and labels are the same."""
    http, celery = DoorMetrics(), CeleryMetrics("task")
    http.api_errors.labels(call="get gatherrun", error="Refused").inc()
    celery.api_errors.labels(call="get gatherrun", error="Refused").inc()
    assert _shown(http.registry) == _shown(celery.registry)


def _shown(registry: CollectorRegistry) -> list[object]:
    return [
        (
            family.name,
            family.documentation,
            [(s.name, s.labels) for s in family.samples if "_created" not in s.name],
        )
        for family in registry.collect()
        if family.name.startswith("gather_door_api")
    ]
