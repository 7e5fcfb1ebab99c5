"""Real worker processes with real stores, brain and demo model, undisturbed and disturbed."""

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
import redis

from dev.rooms import BRAIN_KEY
from dev.service_process import ServiceProcess
from dev.waiting import wait_for
from gather_contracts import names
from gather_contracts.events import decode_event
from gather_contracts.result import StopReason
from tests.support.network.connections import Connections, addresses_in
from tests.support.network.gate import Gate
from tests.support.worker_harness import Ended, Worker, WorkerHarness

MEMORY_MAX_BYTES = 200 * 1024 * 1024
STOP_MAX_S = 15.0
"""From SIGTERM to the end; the pod has 20 s."""

NewHarness = Callable[..., WorkerHarness]
Behave = Callable[..., None]


def events_of(harness: WorkerHarness) -> list[Any]:
    """Return the project's events in their order."""
    with redis.Redis.from_url(harness.services.redis_url) as client:
        entries: Any = client.xrange(names.event_log(harness.project_id))
    return [decode_event(fields[b"event"]) for _, fields in entries]


def evaluations_of(harness: WorkerHarness, index: int = 0) -> list[dict[str, Any]]:
    """Return the queued evaluation messages of a department."""
    task_id = names.evaluation_task_id(harness.document.run.uid, harness.document.departments[index].slug)
    with redis.Redis.from_url(harness.services.redis_url) as client:
        queued: Any = client.lrange(names.EVALUATION_QUEUE, 0, -1)
    messages = [json.loads(text) for text in queued]
    return [message for message in messages if message["headers"]["id"] == task_id]


def requests_of(harness: WorkerHarness) -> int:
    """Return how often the demo model was asked since its start."""
    return int(httpx.get(f"{harness.services.model_uri}/demo/usage", timeout=30).json()["requests"])


def wait_iterations(harness: WorkerHarness, count: int) -> None:
    """Wait until the first department has so many iterations."""
    wait_for(f"{count} iterations", lambda: harness.checkpoint().get("iterations", 0) >= count, 60)


def wait_measured(harness: WorkerHarness, count: int) -> None:
    """Wait until so many iterations of the first department are measured: the model has been asked by then.

    An iteration counts as soon as its notes are accepted, and the judge is asked afterwards.
    """
    wait_for(f"{count} measured", lambda: len(harness.checkpoint().get("scores", [])) >= count, 60)


def wait_epoch(harness: WorkerHarness, epoch: int) -> None:
    """Wait until so many workers have taken up the first department."""
    wait_for(f"epoch {epoch}", lambda: harness.checkpoint().get("epoch") == epoch, 60)


def assert_whole(harness: WorkerHarness, ended: Ended) -> None:
    """Finished, no item twice, both stores equal, the result true."""
    assert ended.exit_code == 0, ended.messages()
    assert ended.result is not None
    items = harness.items()
    assert len({item["content"] for item in items}) == len(items)
    assert {item["_id"] for item in items} == harness.node_ids()
    assert ended.result.items_created == harness.checkpoint()["itemsCreated"]
    assert (
        sum(item["automationMetadata"]["department"] == "story" for item in items)
        == ended.result.items_created
    )
    assert harness.checkpoint()["unindexed"] == harness.checkpoint()["pending"] == []


def test_a_worker_fills_its_department(harness: WorkerHarness, connections: Connections) -> None:
    """Metadata in both stores, scores on the items, events in order, one evaluation, a true result.

    It connects to the services that it is given, and to nothing else.
    """
    harness.connections = connections
    ended = harness.run(0, 6)
    services = harness.services
    named = addresses_in((*services.secrets().values(), *services.environment().values()))
    assert connections.of(harness.workers[0].process.pid) == named
    assert_whole(harness, ended)
    assert ended.result is not None
    assert ended.result.reason is StopReason.THRESHOLD_REACHED
    assert ended.result.quality_score >= 78
    assert ended.result.cost_usd > 0
    nodes = harness.node_properties()
    for item in harness.items():
        automation, node = item["automationMetadata"], nodes[item["_id"]]
        assert (item["projectId"], item["createdBy"], item["isAutomated"]) == (
            harness.project_id,
            "harness-user",
            True,
        )
        assert (automation["run"], automation["taskId"]) == ("harness", "pod-0")
        assert 1 <= automation["iteration"] <= ended.result.iterations
        assert automation["qualityScore"] == node["qualityScore"]
        assert node["departmentName"] == automation["departmentName"] == "Story Department"
        assert (node["summary"], node["model"]) == (item["summary"], automation["model"])
    types = [event.type for event in events_of(harness)]
    assert types[0] == "department_started"
    assert types[1:-1] == ["deduplicating", "iteration_complete"] * ended.result.iterations
    assert types[-1] == "department_complete"
    (message,) = evaluations_of(harness)
    assert message["headers"]["task"] == "evaluate_department"
    assert ended.peak_memory_bytes < MEMORY_MAX_BYTES


def test_a_finished_department_is_not_done_again(harness: WorkerHarness) -> None:
    """The Job may start a pod twice: no question to the model, no item, no message, the same result."""
    first = harness.run(0, 6)
    asked = requests_of(harness)
    second = harness.run(0, 6)
    assert requests_of(harness) == asked
    assert (second.exit_code, second.result) == (0, first.result)
    assert len(evaluations_of(harness)) == 1
    assert sum(event.type == "department_complete" for event in events_of(harness)) == 1


def test_the_next_department_builds_on_the_one_before(harness: WorkerHarness) -> None:
    """And leaves that one's items alone."""
    harness.run(0, 1)
    before = {item["_id"]: item for item in harness.items()}
    assert harness.run(1, 1).exit_code == 0
    after = {item["_id"]: item for item in harness.items()}
    assert before.items() <= after.items()
    assert {item["automationMetadata"]["department"] for item in after.values()} == {"story", "character"}


def test_a_department_out_of_iterations_says_so(harness: WorkerHarness) -> None:
    """max_iterations_reached, then department_complete; no evaluation below the threshold; exit code 0."""
    ended = harness.run(0, 1)
    assert_whole(harness, ended)
    assert ended.result is not None
    assert ended.result.reason is StopReason.ITERATIONS_USED
    types = [event.type for event in events_of(harness)]
    assert types[-2:] == ["max_iterations_reached", "department_complete"]
    assert evaluations_of(harness) == []


def test_evaluations_can_be_switched_off(new_harness: NewHarness) -> None:
    """spec.enableAutoEvaluation."""
    harness = new_harness(enableAutoEvaluation=False)
    ended = harness.run(0, 6)
    assert ended.result is not None
    assert ended.result.reason is StopReason.THRESHOLD_REACHED
    assert evaluations_of(harness) == []


def test_logs_hold_neither_content_nor_keys(harness: WorkerHarness) -> None:
    """One JSON object a line, each with its run and department."""
    ended = harness.run(0, 1)
    text = harness.workers[0].log_text()
    assert len(ended.log) == len(text.splitlines()) > 3
    assert all(line["run"] == "harness" and line["department"] == "story" for line in ended.log)
    for secret in (
        BRAIN_KEY,
        harness.services.mongodb_uri,
        *(item["content"][:60] for item in harness.items()),
    ):
        assert secret not in text


# --- stopped


def stopped(worker: Worker) -> Ended:
    """Send SIGTERM and return how it ended, in time."""
    worker.signal(signal.SIGTERM)
    return worker.wait(STOP_MAX_S)


def test_sigterm_in_a_model_call_saves_and_exits_143(harness: WorkerHarness, behave: Behave) -> None:
    """The call is broken off, what was made is kept, and the next attempt goes on from there."""
    behave(delay_s=0.5)
    worker = harness.start(0, 3)
    wait_iterations(harness, 1)
    asked = requests_of(harness)
    behave(delay_s=60)
    wait_for("a call in flight", lambda: requests_of(harness) > asked, 30)
    ended = stopped(worker)
    behave(delay_s=0)
    assert ended.exit_code == 143, ended.messages()
    assert ended.result is not None
    assert ended.result.reason is StopReason.TERMINATED
    assert ended.result.iterations == harness.checkpoint()["iterations"] >= 1
    assert ended.result.items_created == len(harness.items()) > 0
    resumed = harness.run(0, 3)
    assert_whole(harness, resumed)


def test_sigterm_before_anything_was_done_exits_143(harness: WorkerHarness, behave: Behave) -> None:
    """In the very first model call."""
    behave(delay_s=60)
    worker = harness.start(0, 3)
    wait_for("the checkpoint", lambda: harness.checkpoint().get("epoch"), 30)
    ended = stopped(worker)
    assert ended.exit_code == 143
    assert ended.result is not None
    assert (ended.result.iterations, ended.result.items_created) == (0, 0)


def test_a_killed_worker_is_followed_by_one_that_goes_on(harness: WorkerHarness, behave: Behave) -> None:
    """SIGKILL three times in the middle: no item twice, none lost, the evaluation sent once."""
    behave(delay_s=0.3)
    for epoch, iterations in enumerate((1, 1, 2), start=1):
        worker = harness.start(0, 5)
        wait_epoch(harness, epoch)
        wait_iterations(harness, iterations)
        worker.signal(signal.SIGKILL)
        worker.process.wait()
    saved = {item["_id"] for item in harness.items()}
    behave(delay_s=0)
    ended = harness.run(0, 5)
    assert_whole(harness, ended)
    assert saved <= {item["_id"] for item in harness.items()}
    assert harness.checkpoint()["epoch"] == 4
    assert len(evaluations_of(harness)) == (harness.checkpoint()["finished"] == "ThresholdReached")


def test_a_worker_that_wakes_up_late_can_write_nothing(harness: WorkerHarness, behave: Behave) -> None:
    """SIGSTOP, a successor finishes the department, SIGCONT: the old one is refused and ends with 75."""
    behave(delay_s=0.5)
    zombie = harness.start(0, 4)
    wait_iterations(harness, 1)
    zombie.signal(signal.SIGSTOP)
    behave(delay_s=0)
    ended = harness.run(0, 4)
    items, checkpoint, nodes = harness.items(), harness.checkpoint(), harness.node_properties()
    zombie.signal(signal.SIGCONT)
    late = zombie.wait()
    assert late.exit_code == 75, late.messages()
    assert late.result is not None
    assert late.result.reason is StopReason.FENCED
    assert (harness.items(), harness.checkpoint(), harness.node_properties()) == (items, checkpoint, nodes)
    assert_whole(harness, ended)


# --- input that can never work


@pytest.mark.parametrize("text", ["", "{}", '{"run": 1'], ids=["empty", "no run", "half"])
def test_a_bad_run_file_exits_64(harness: WorkerHarness, text: str) -> None:
    """And says so in the termination message; nothing is written."""
    ended = harness.run(0, 3, run_text=text)
    assert ended.exit_code == 64
    assert ended.result is not None
    assert ended.result.reason is StopReason.INVALID_INPUT
    assert harness.checkpoints() == []


def test_a_department_that_does_not_exist_exits_64(harness: WorkerHarness) -> None:
    """The index is the operator's own number."""
    ended = harness.run(7, 3)
    assert ended.exit_code == 64


def test_a_missing_setting_exits_64_and_is_named(harness: WorkerHarness) -> None:
    """Named without its value."""
    ended = harness.run(0, 3, BRAIN_SERVICE_BASE_URL="")
    assert ended.exit_code == 64
    assert ended.result is not None
    assert "BRAIN_SERVICE_BASE_URL" in ended.result.message


def test_a_model_name_that_the_endpoint_refuses_exits_64(harness: WorkerHarness) -> None:
    """A retry would be refused as well."""
    harness.rename_model("no such model")
    ended = harness.run(0, 3)
    assert ended.exit_code == 64
    assert ended.result is not None
    assert ended.result.reason is StopReason.INVALID_INPUT


# --- services unavailable


@pytest.mark.parametrize(
    "fault",
    ["rate_limit", "server_error", "error_in_200", "choices_null",
     "finish_error", "broken_json", "half_answer", "wrong_schema"],
)  # fmt: skip
def test_a_misbehaving_model_does_not_fail_the_department(
    harness: WorkerHarness, behave: Behave, fault: str
) -> None:
    """One fault of each kind costs time or one more question, never the attempt and never a bad item."""
    behave(fault=fault, count=1, retry_after_s=1)
    ended = harness.run(0, 1)
    assert_whole(harness, ended)
    assert harness.checkpoint()["iterations"] == 1
    assert all(len(item["content"].split()) >= 5 for item in harness.items())


def test_a_model_that_stays_unavailable_exits_75(harness: WorkerHarness, behave: Behave) -> None:
    """A Retry-After beyond the attempt's end is for the next attempt."""
    behave(fault="rate_limit", count=50, retry_after_s=3000)
    ended = harness.run(0, 3)
    assert ended.exit_code == 75
    assert ended.result is not None
    assert ended.result.reason is StopReason.MODEL_UNAVAILABLE


def test_items_land_in_the_brain_when_it_is_back(harness: WorkerHarness, brain_store: ServiceProcess) -> None:
    """MongoDB has them at once; the finished worker waits for the brain, which starts meanwhile."""
    with brain_store.absent():
        worker = harness.start(0, 2)
        wait_iterations(harness, 2)
        wait_for("items in MongoDB", lambda: len(harness.items()) > 5, 60)
        assert harness.node_ids() == set()
    assert_whole(harness, worker.wait())


def test_context_comes_from_mongodb_while_the_brain_is_unavailable(
    harness: WorkerHarness, brain_gate: Gate
) -> None:
    """The second department builds on the first one's notes, and is indexed once the brain is available."""
    harness.services = replace(harness.services, brain_uri=brain_gate.uri)
    harness.run(0, 1)
    indexed = harness.node_ids()
    with brain_gate.absent():
        worker = harness.start(1, 1)
        wait_for("its notes in MongoDB", lambda: len(harness.items()) > len(indexed), 60)
        assert harness.node_ids() == indexed
    ended = worker.wait()
    assert ended.exit_code == 0, ended.messages()
    assert "context comes from MongoDB alone: the brain is unavailable" in ended.messages()
    assert {item["_id"] for item in harness.items()} == harness.node_ids()


def test_a_department_never_fails_for_the_brain_alone(new_harness: NewHarness, brain_gate: Gate) -> None:
    """First attempt: 75 at its deadline. Last attempt: 0, and the project's next worker indexes the items.

    Two runs wait for their deadlines at the same time; the first attempt of one of them is killed for it.
    """
    waits, harness = (new_harness(departmentTimeoutSeconds=30, departmentRetries=1) for _ in range(2))
    for each in (waits, harness):
        each.services = replace(each.services, brain_uri=brain_gate.uri)
    with brain_gate.absent():
        attempts = [waits.start(0, 1), harness.start(0, 1)]
        for each in (waits, harness):
            wait_measured(each, 1)
        attempts[1].signal(signal.SIGKILL)
        attempts[1].process.wait()
        asked = requests_of(harness)
        attempts[1] = harness.start(0, 1)
        first, last = (worker.wait() for worker in attempts)
    assert first.result is not None
    assert last.result is not None
    assert (first.exit_code, first.result.reason) == (75, StopReason.INDEX_UNAVAILABLE)
    assert (last.exit_code, last.result.reason) == (0, StopReason.ITERATIONS_USED)
    assert requests_of(harness) == asked
    assert harness.node_ids() == set()
    assert harness.run(1, 1).exit_code == 0
    assert {item["_id"] for item in harness.items()} == harness.node_ids()
    assert harness.checkpoint(0)["unindexed"] == []


def test_without_redis_events_are_lost_and_nothing_else(
    harness: WorkerHarness, redis_store: ServiceProcess
) -> None:
    """The items are whole; the evaluation could not be queued, and the log says so."""
    with redis_store.absent():
        ended = harness.run(0, 6, GATHER_EVALUATION_TIMEOUT_S="3")
    assert_whole(harness, ended)
    assert any("evaluation could not be queued" in message for message in ended.messages())


def test_mongodb_unavailable_exits_75(harness: WorkerHarness, mongodb_store: ServiceProcess) -> None:
    """After the worker's patience; the next attempt goes on."""
    harness.run(0, 1)
    with mongodb_store.absent():
        ended = harness.run(0, 2, GATHER_STORE_PATIENCE_S="2")
    assert ended.exit_code == 75
    assert ended.result is not None
    assert ended.result.reason is StopReason.STORE_UNAVAILABLE
