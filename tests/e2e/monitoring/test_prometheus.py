"""Prometheus itself on the cluster: it scrapes all rooms, panels have data, alerts fire for their faults.

`make monitoring` runs this. How long an alert's condition has to hold is promtool's part (`make alerts`).
"""

import json
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from dev.artefacts.cache import Cache
from dev.artefacts.go_programs import PROMETHEUS, ensure_programs
from dev.cluster.node import tree
from dev.errors import WaitTimeoutError
from dev.paths import ROOT
from dev.progress import Reporter
from dev.waiting import wait_for
from tests.support.alerts.recorded_series import rules
from tests.support.deployed_gather import DeployedGather, is_succeeded, new_project, run_of
from tests.support.kubernetes.rendered_charts import DOORS
from tests.support.monitoring.alert_faults import BY_TIME, FAULTS, Fault, World, change, wait_taken
from tests.support.monitoring.callers import BrainCalls, Tasks
from tests.support.monitoring.prometheus_in_cluster import Prometheus, prometheus_in_cluster

BOARD: Final = json.loads((ROOT / "charts/gather/dashboards/gather.json").read_text("utf-8"))
PANELS: Final[dict[str, list[str]]] = {
    panel["title"]: [target["expr"] for target in panel["targets"]]
    for panel in BOARD["panels"]
    if "targets" in panel
}
OF_FAULTS: Final = "Doors: failed calls of the Kubernetes API, an hour"
"""Its labels are what failed, so that there is nothing before the first failure."""
ALL_GOES_WELL: Final[dict[str, Any]] = {"maxIterations": 30}
"""Enough for each department to reach its threshold."""
RUN_S: Final = 420
SEEN_S: Final = 120
"""Two scrapes and an evaluation take 15 s; a room that has just begun on a busy machine takes a minute."""
QUIET_S: Final = 180
"""For alerts on what a fault before this one did, until it has recovered."""
LONG_RUN_S: Final = 480
"""From which a task counts as slow."""


@pytest.fixture(scope="module")
def prometheus(gather: DeployedGather) -> Iterator[Prometheus]:
    """One that has scraped every room."""
    if tree.find() is None:
        pytest.skip("the cluster is kind's, whose node does not see this machine's programs")
    cache = Cache.from_environment()
    ensure_programs([PROMETHEUS], cache, Reporter())
    with prometheus_in_cluster(gather, PROMETHEUS.folder(cache)) as found:
        rooms = {f"gather-{room}" for room in ("operator", "brain", "bridge", *DOORS)}
        wait_for("the first scrapes", lambda: found.targets() == dict.fromkeys(rooms, "up"), SEEN_S, 1)
        yield found


@pytest.fixture(scope="module")
def world(
    gather: DeployedGather, brain_key: str, prometheus: Prometheus, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """The release, with a task whose run is suspended all the time, and its callers."""
    made = World(gather, BrainCalls(gather, brain_key), Tasks(gather), tmp_path_factory.mktemp("faults"))
    try:
        yield made
    finally:
        made.tasks.forget()


@pytest.fixture(scope="module")
def suspended(world: World) -> float:
    """When a task was sent whose run is suspended, and stays so; by the monotonic clock."""
    sent_s = time.monotonic()
    (run,) = world.tasks.send(1, max_iterations=50)
    wait_taken(world, run)
    change(world, "gatherrun", run, {"spec": {"suspend": True}})
    return sent_s


@pytest.fixture(scope="module")
def demo(world: World, prometheus: Prometheus) -> float:
    """When runs began whose departments are all good enough by now: one, and four as tasks; in Unix time."""
    begun_s, before = time.time(), ended(prometheus)
    departments = ["story", "character", "sound"]
    with run_of(world.gather, "watched", new_project(), departments=departments, **ALL_GOES_WELL):
        assert is_succeeded(world.gather.wait_end("watched", RUN_S))
    for _ in range(2):
        (task,) = world.tasks.send(1, **ALL_GOES_WELL)
        submitted = world.tasks.submit(**ALL_GOES_WELL).raise_for_status().json()["task_id"]
        for run in (task, submitted):
            wait_taken(world, run)
            assert is_succeeded(world.gather.wait_end(run, RUN_S))
    count = before + len(departments) + 4
    wait_for("the last department to be counted", lambda: ended(prometheus) == count, SEEN_S, 1)
    return begun_s


def ended(prometheus: Prometheus) -> float:
    """Return how many departments have ended, as the operator counts them."""
    return prometheus.value("sum(gather_departments_ended_total)") or 0


def no_data(prometheus: Prometheus, panel: str, begun_s: float) -> list[str]:
    """Return a panel's queries that have no number since then."""
    queries = [query.replace("$__rate_interval", "1m") for query in PANELS[panel]]
    return [query for query in queries if not prometheus.has_data(query, begun_s, time.time())]


@pytest.mark.parametrize("panel", [panel for panel in PANELS if panel != OF_FAULTS])
def test_each_panel_has_data_after_a_few_runs(prometheus: Prometheus, demo: float, panel: str) -> None:
    """Each of its queries, as Grafana asks them."""
    assert no_data(prometheus, panel, demo) == []


def test_nothing_fires_while_all_is_well(prometheus: Prometheus, demo: float) -> None:
    """Apart from times, which are the machine's."""
    timed = {name for name, rule in rules().items() if "histogram_quantile" in rule["expr"]}
    assert {name: text for name, text in prometheus.firing().items() if name not in timed} == {}


@pytest.mark.usefixtures("demo", "suspended")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_alerts_fire_for_their_fault(prometheus: Prometheus, world: World, fault: Fault) -> None:
    """And not before it."""
    alerts = set(fault.alerts)
    wait_for(f"{alerts} to be quiet", lambda: not alerts & prometheus.firing().keys(), QUIET_S, 1)
    begun_s = time.time()
    with fault.happens(world):
        wait_until_fired(prometheus, alerts, begun_s, SEEN_S)


def test_an_alert_fires_for_a_run_of_eight_minutes(prometheus: Prometheus, suspended: float) -> None:
    """It is suspended; the faults above take longer than that."""
    left_s = LONG_RUN_S - (time.monotonic() - suspended)
    wait_until_fired(prometheus, {BY_TIME}, time.time(), max(0, left_s) + SEEN_S)


def test_the_panel_of_failed_calls_has_data_after_them(prometheus: Prometheus, demo: float) -> None:
    """As those of a door without rights."""
    assert no_data(prometheus, OF_FAULTS, demo) == []


def wait_until_fired(prometheus: Prometheus, alerts: set[str], begun_s: float, timeout_s: float) -> None:
    """Wait until all of them have fired since then; name those that have not."""
    missing: set[str] = set()

    def probe() -> bool:
        nonlocal missing
        missing = alerts - prometheus.fired(begun_s)
        return not missing

    try:
        wait_for("the alerts", probe, timeout_s, 1)
    except WaitTimeoutError:
        pytest.fail(f"did not fire: {sorted(missing)}; fire: {sorted(prometheus.firing())}")
