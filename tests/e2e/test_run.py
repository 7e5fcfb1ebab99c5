"""One GatherRun on a real cluster: from `kubectl apply` to Succeeded, and everything it promises to leave."""

import json
import threading
import time
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gather_contracts.resource import GatherRun
from tests.support.deployed_gather import DeployedGather, is_succeeded, new_project, run_of, total_items

PROJECT = new_project()
QUALIFYING = 7
"""Departments of the demo CMS that take part, of at least nine."""


class Observed:
    """A run that has ended, and what was seen of it on the way."""

    def __init__(
        self, run: GatherRun, events: list[Any], states: list[GatherRun], columns: list[str]
    ) -> None:
        self.run = run
        self.events = [e for e in events if e.run == run.metadata.name]
        self.states = states
        self.columns = columns


def _watch(
    gather: DeployedGather, name: str, states: list[GatherRun], columns: list[str], done: threading.Event
) -> None:
    """Note every state and every line of `kubectl get gatherruns` that differs from the one before."""
    while not done.wait(0.3):
        run = gather.run(name)
        line = gather.kubectl("get", "gatherruns", name, "--no-headers").rsplit(maxsplit=1)[0]
        if not states or run.status != states[-1].status:
            states.append(run)
        if not columns or line != columns[-1]:
            columns.append(line)


@pytest.fixture(scope="module")
def observed(gather: DeployedGather) -> Iterator[Observed]:
    """Run all departments once and look at everything afterwards."""
    states: list[GatherRun] = []
    columns: list[str] = []
    done = threading.Event()
    with gather.recorded_events(PROJECT) as events, run_of(gather, "whole", PROJECT, maxIterations=60):
        watcher = threading.Thread(target=_watch, args=(gather, "whole", states, columns, done))
        watcher.start()
        try:
            run = gather.wait_end("whole", 600)
            deadline = time.monotonic() + 30
            while not any(e.type == "automation_complete" for e in events) and time.monotonic() < deadline:
                time.sleep(0.1)
        finally:
            done.set()
            watcher.join()
        yield Observed(run, events, states, columns)


def test_the_run_succeeds_with_seven_departments_in_the_cms_s_order(observed: Observed) -> None:
    """The CMS names nine or more; two do not qualify; codeDepNumber orders the rest."""
    numbers = [d.code_dep_number for d in observed.run.status.departments]
    assert is_succeeded(observed.run), observed.run.status
    assert len(numbers) == QUALIFYING
    assert numbers == sorted(numbers)
    assert observed.run.status.progress == "7/7"


def test_each_department_has_exactly_one_job(gather: DeployedGather, observed: Observed) -> None:
    """No retry was needed, and none was made."""
    jobs = gather.jobs_of(observed.run)
    assert len(jobs) == QUALIFYING
    assert [job["metadata"]["name"] for job in jobs] == [d.job_name for d in observed.run.status.departments]


def test_departments_ran_one_after_the_other(gather: DeployedGather, observed: Observed) -> None:
    """A department starts after the one before it has ended, so that it can build on it."""
    started = [d.start_time for d in observed.run.status.departments]
    ended = [d.completion_time for d in observed.run.status.departments]
    assert all(e is not None and s is not None and e <= s for e, s in zip(ended, started[1:], strict=False))


def test_workers_ran_on_the_cpu_intensive_pool_without_a_token(
    gather: DeployedGather, observed: Observed
) -> None:
    """The node selector is the pool; the pod has no Kubernetes credentials."""
    for pod in gather.pods_of(observed.run):
        assert pod["spec"]["nodeSelector"]["pool"] == "cpu_intensive"
        assert pod["spec"]["automountServiceAccountToken"] is False
        mounts = [m["mountPath"] for c in pod["spec"]["containers"] for m in c["volumeMounts"]]
        assert not any("serviceaccount" in path for path in mounts)


def test_every_item_is_in_mongodb_with_its_metadata(gather: DeployedGather, observed: Observed) -> None:
    """The application reads these fields."""
    run = observed.run
    items = gather.items(PROJECT, run.metadata.uid)
    assert len(items) > QUALIFYING
    known = {d.slug: d for d in run.status.departments}
    for item in items:
        department = known[item["automationMetadata"]["department"]]
        assert item["projectId"] == PROJECT
        assert item["automationMetadata"]["departmentName"] == department.name
        assert item["createdBy"] == "e2e"
        assert len(item["content"].split()) > 10
        assert item["summary"]
        automation = item["automationMetadata"]
        assert automation["run"] == run.metadata.name
        assert automation["model"] == department.model
        assert 1 <= automation["iteration"] <= department.iterations
        assert 0 <= automation["qualityScore"] <= 100


def test_mongodb_and_the_brain_hold_the_same_items(gather: DeployedGather, observed: Observed) -> None:
    """Every accepted item is indexed, and nothing else is."""
    assert {item["_id"] for item in gather.items(PROJECT)} == gather.node_ids(PROJECT)


def test_the_brain_finds_an_item_by_its_text(
    gather: DeployedGather, observed: Observed, brain_key: str
) -> None:
    """The way applications reach what a run wrote."""
    item = gather.items(PROJECT, observed.run.metadata.uid)[0]
    with gather.forward("gather-brain", 8080) as port:
        answer = httpx.post(
            f"http://127.0.0.1:{port}/api/v1/search/duplicates",
            headers={"Authorization": f"Bearer {brain_key}"},
            json={"content": item["content"], "projectId": PROJECT},
            timeout=10,
        ).json()
    best = answer["duplicates"][0]
    assert best["nodeId"] == item["_id"]
    assert best["similarity"] > 0.99


def test_the_status_equals_what_is_in_mongodb(gather: DeployedGather, observed: Observed) -> None:
    """Totals and per-department numbers, not only their order of magnitude."""
    run = observed.run
    saved = sorted(
        item["automationMetadata"]["department"] for item in gather.items(PROJECT, run.metadata.uid)
    )
    counted = {slug: len(list(group)) for slug, group in groupby(saved)}
    assert {d.slug: d.items_created for d in run.status.departments if d.items_created} == counted
    assert run.status.items_created == total_items(run) == len(saved)


def test_departments_stop_for_a_documented_reason(observed: Observed) -> None:
    """Good enough, flat or out of iterations; never by accident."""
    for department in observed.run.status.departments:
        assert department.reason in {"ThresholdReached", "QualityFlat", "IterationsUsed"}
        if department.reason == "ThresholdReached":
            assert department.quality_score >= department.threshold
    assert observed.run.status.reason in {d.reason for d in observed.run.status.departments}


def test_the_run_stays_within_its_iterations(observed: Observed) -> None:
    """The allowance is for the whole run, not for each department."""
    status = observed.run.status
    assert (
        status.iterations == sum(d.iterations for d in status.departments) <= observed.run.spec.max_iterations
    )


def test_progress_moves_at_least_five_times(observed: Observed) -> None:
    """What a person at `kubectl get gatherruns` sees, and it never goes back."""
    assert len(observed.columns) >= 5, observed.columns
    items = [state.status.items_created for state in observed.states]
    done = [
        int(state.status.progress.split("/")[0] or 0) for state in observed.states if state.status.progress
    ]
    assert items == sorted(items)
    assert done == sorted(done)


def test_the_channel_carries_each_department_s_story_in_order(observed: Observed) -> None:
    """Started, then deduplicating and complete for each iteration, then the end; departments do not mix."""
    inside = [e for e in observed.events if not e.type.startswith("automation_")]
    order = [slug for slug, _ in groupby(inside, key=lambda e: e.department)]
    assert order == [d.slug for d in observed.run.status.departments]
    for department in observed.run.status.departments:
        types = [e.type for e in inside if e.department == department.slug]
        assert types[0] == "department_started"
        assert types[-1] == "department_complete"
        assert types.count("iteration_complete") == department.iterations
        assert types.count("deduplicating") >= 1
        assert types.index("deduplicating") < types.index("iteration_complete")


def test_the_channel_begins_with_the_start(observed: Observed) -> None:
    """automation_started once, before any department."""
    first = observed.events[0]
    assert (first.type, first.task_id, first.departments_count) == ("automation_started", "whole", QUALIFYING)
    assert first.max_iterations == 60
    assert sum(e.type == "automation_started" for e in observed.events) == 1


def test_iterations_below_the_threshold_are_announced(observed: Observed) -> None:
    """max_iterations_reached for exactly the departments that ran out of iterations."""
    announced = {e.department for e in observed.events if e.type == "max_iterations_reached"}
    assert announced == {d.slug for d in observed.run.status.departments if d.reason == "IterationsUsed"}


def test_the_channel_ends_with_the_summary(observed: Observed) -> None:
    """automation_complete once, last, and equal to the status."""
    last = observed.events[-1]
    assert last.type == "automation_complete"
    assert sum(e.type == "automation_complete" for e in observed.events) == 1
    status = observed.run.status
    assert (last.items_created, last.total_iterations, last.departments_processed) == (
        status.items_created, status.iterations, QUALIFYING,
    )  # fmt: skip
    assert {s.department: s.items_created for s in last.summary} == {
        d.slug: d.items_created for d in status.departments
    }


def test_offsets_have_no_gap(observed: Observed) -> None:
    """A client can tell that it missed something."""
    offsets = [e.offset for e in observed.events]
    assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))
    assert len({e.epoch for e in observed.events}) == 1


def test_describe_shows_why(gather: DeployedGather, observed: Observed) -> None:
    """Conditions with reasons, and Kubernetes Events for the transitions."""
    text = gather.kubectl("describe", "gatherrun", observed.run.metadata.name)
    assert "AllDepartmentsDone" in text
    conditions = {c.type: c for c in observed.run.status.conditions}
    assert conditions["Accepted"].status == "True"
    assert conditions["Progressing"].status == "False"
    assert conditions["Succeeded"].status == "True"
    events = json.loads(gather.kubectl("get", "events", "-o", "json"))["items"]
    assert any(e["involvedObject"].get("uid") == observed.run.metadata.uid for e in events)


def test_the_operator_shows_what_the_workers_measured(gather: DeployedGather, observed: Observed) -> None:
    """At /metrics, after the pods have ended: at least what this run's departments did."""
    with gather.forward("gather-operator", 8080) as port:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def total(name: str) -> float:
        return sum(sample.value for sample in samples if sample.name == f"gather_{name}")

    status = observed.run.status
    assert total("departments_ended_total") >= QUALIFYING
    assert total("attempt_duration_seconds_count") >= QUALIFYING
    assert total("worker_start_duration_seconds_count") >= QUALIFYING
    assert total("worker_iteration_own_duration_seconds_count") >= status.iterations
    assert total("worker_mongodb_duration_seconds_count") > status.iterations
    assert total("iteration_items_sum") >= status.items_created
