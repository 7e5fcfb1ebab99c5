"""The counters of bridge and doors are at 0 from the start: no rate counts an event that begins a series."""

import pytest
from prometheus_client import CollectorRegistry

from gather_bridge.celery_door.celery_metrics import CeleryMetrics
from gather_bridge.http_door.door_metrics import DoorMetrics
from gather_bridge.metrics import Metrics
from gather_bridge.task_runs import run_calls
from gather_clients.configuration import ConfigurationError
from gather_clients.kube_api.api_access import NoAccess

WITH_ITS_PART = {
    "gather_bridge_page_requests", "gather_bridge_page_sign_ins", "gather_bridge_page_cancels",
    "gather_bridge_exports", "gather_door_api_errors",
}  # fmt: skip
"""They begin where they are counted, which not every process does."""


@pytest.mark.parametrize(
    "registry", [Metrics().registry, DoorMetrics().registry, CeleryMetrics("t").registry]
)
def test_every_counter_is_there_from_the_start(registry: CollectorRegistry) -> None:
    """With all values of its labels."""
    counters = {found.name: found.samples for found in registry.collect() if found.type == "counter"}
    assert {name for name, samples in counters.items() if not samples} <= WITH_ITS_PART


@pytest.mark.parametrize("metrics", [DoorMetrics(), CeleryMetrics("t")])
async def test_errors_of_the_kubernetes_api_are_there_from_the_start(
    metrics: DoorMetrics | CeleryMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the first call of all fails; its alert asks for the increase of six within minutes."""

    async def no_access() -> None:
        raise NoAccess("no way")

    monkeypatch.setattr(run_calls, "load_access", no_access)
    with pytest.raises(ConfigurationError):
        await run_calls.open_task_runs("films", 1, metrics.api_errors)
    for error in ("ClusterUnavailable", "AnswerTooLong", "Refused", "ConnectionBroken"):
        said = {"call": "watch gatherruns", "error": error}
        assert metrics.registry.get_sample_value("gather_door_api_errors_total", said) == 0
