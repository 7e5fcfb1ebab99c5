"""The Celery door on a real cluster: the plain client, load, revokes, kills, a worker beside it."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import redis
from celery import Celery  # type: ignore[import-untyped]

from dev.waiting import wait_for
from gather_contracts import names
from gather_contracts.reasons import RunPhase
from tests.support.deployed_gather import DeployedGather, new_project
from tests.support.doors.canvas_consumer import NOTED, canvas_service, noted

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")
DOOR: Final = "gather-celery-door"
SELECTOR: Final = "app.kubernetes.io/component=celery-door"
SLOTS: Final = 10
"""doors.celery.runsMax."""
FINAL: Final = frozenset({"SUCCESS", "FAILURE", "REVOKED"})


@dataclass
class Sent:
    """One task, and when its states were seen, in seconds since it was sent."""

    id: str
    sent_s: float
    seen_s: dict[str, float] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """Return the last state that was seen."""
        return list(self.seen_s)[-1] if self.seen_s else "PENDING"

    @property
    def picked_s(self) -> float:
        """Return after how long a state was seen at all; raises ValueError before."""
        return min(self.seen_s.values())

    @property
    def started_s(self) -> float:
        """Return after how long it was seen at work, or ended if that came between two looks."""
        return min(seen_s for state, seen_s in self.seen_s.items() if state != "STARTED")


class Application:
    """Celery's plain client at the cluster's Redis."""

    def __init__(self, gather: DeployedGather, port: int) -> None:
        self.gather = gather
        self.url = f"redis://127.0.0.1:{port}/0"
        self.app: Any = Celery("application", broker=self.url, backend=self.url, set_as_current=False)
        self.redis: Any = redis.Redis.from_url(self.url)
        self._sent: list[str] = []

    def send(self, **options: Any) -> Sent:
        """Send a short task as the requirements do; nothing is subscribed to."""
        data = {"project_id": new_project(), "user_id": "e2e", "max_iterations": 1, "departments": ["story"]}
        given = {
            "args": [{**data, **options.pop("data", {})}],
            "queue": "cpu_intensive",
            "priority": 1,
            **options,
        }
        sent_s = time.monotonic()
        result = self.app.send_task(names.GATHER_TASK, **given)
        self._sent.append(result.id)
        return Sent(result.id, sent_s)

    def look(self, sent: Sequence[Sent]) -> None:
        """Note new states."""
        now_s = time.monotonic()
        metas = self.redis.mget([f"celery-task-meta-{each.id}" for each in sent])
        for each, meta in zip(sent, metas, strict=True):
            if meta is not None:
                state = str(self.app.backend.decode(meta)["status"])
                each.seen_s.setdefault(state, now_s - each.sent_s)

    def state_of(self, sent: Sent) -> str:
        """Return a task's state now."""
        self.look([sent])
        return sent.state

    def waits(self, sent: Sent) -> bool:
        """Return whether the task's message lies in its queue, at the highest priority."""
        return any(sent.id.encode() in message for message in self.redis.lrange("cpu_intensive", 0, -1))

    def follow(self, sent: Sequence[Sent], timeout_s: float) -> None:
        """Look until all have ended."""

        def ended() -> bool:
            self.look(sent)
            return all(each.state in FINAL for each in sent)

        wait_for(f"the end of {len(sent)} tasks", ended, timeout_s)

    def result(self, sent: Sent) -> Any:
        """Return what a task has come to."""
        return self.app.AsyncResult(sent.id).get(timeout=10)

    def forget(self) -> None:
        """Delete the runs of all tasks."""
        for task_id in self._sent:
            self.gather.delete_run(task_id)


@pytest.fixture(scope="module")
def application(gather: DeployedGather) -> Iterator[Application]:
    gather.wait_ready(DOOR)
    with gather.forward("gather-backing-redis", 6379) as port:
        made = Application(gather, port)
        yield made
        made.forget()
        made.redis.close()
        made.app.close()


def percentile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def moment(gather: DeployedGather, sent: Sent, name: str) -> datetime:
    """Return a time of the task's run: creationTimestamp or completionTime."""
    run = gather.run(sent.id)
    text = run.metadata.creation_timestamp if name == "creationTimestamp" else run.status.completion_time
    assert text is not None
    return datetime.fromisoformat(text)


def test_a_task_of_the_plain_client_brings_its_result(
    application: Application, gather: DeployedGather
) -> None:
    """As the requirements have it, with the notes in MongoDB."""
    project = new_project()
    sent = application.send(
        data={"project_id": project, "max_iterations": 2, "departments": ["story", "character"]}
    )
    application.follow([sent], 120)
    value = application.result(sent)
    assert (value["status"], value["departments_processed"]) == ("completed", 2)
    assert value["items_created"] == len(gather.items(project)) > 0
    assert [line["department"] for line in value["summary"]] == ["story", "character"]
    assert {"STARTED", "PROGRESS", "SUCCESS"} >= set(sent.seen_s)


def test_ten_at_once_are_all_taken_at_once(application: Application) -> None:
    """With the times until each state is seen at the client (goals: pick-up p95 1 s, start p95 5 s)."""
    sent = [application.send() for _ in range(SLOTS)]
    application.follow(sent, 240)
    assert all(each.state == "SUCCESS" for each in sent)
    picked, started = [each.picked_s for each in sent], [each.started_s for each in sent]
    print(f"\npick-up p50 {percentile(picked, 0.5):.2f} s, p95 {percentile(picked, 0.95):.2f} s; "
          f"start p95 {percentile(started, 0.95):.2f} s")  # fmt: skip


@pytest.mark.parametrize("count", [20, pytest.param(100, marks=pytest.mark.long)])
def test_queued_tasks_are_taken_by_priority_and_submission(
    application: Application, gather: DeployedGather, count: int
) -> None:
    """Nobody starves: none ends before one that was sent two rounds of slots earlier, in its priority."""
    begun_s = time.monotonic()
    late = [application.send(priority=9) for _ in range(SLOTS)]
    early = [application.send(priority=0) for _ in range(count - SLOTS)]
    application.follow([*late, *early], 30 * count)
    took_s = time.monotonic() - begun_s
    assert all(each.state == "SUCCESS" for each in (*late, *early))
    for group in (late, early):
        made = [moment(gather, each, "creationTimestamp") for each in group]
        ended = [moment(gather, each, "completionTime") for each in group]
        assert made == sorted(made)
        for place, end in enumerate(ended):
            assert all(end <= later for later in ended[place + 2 * SLOTS :])
    waits = [each.picked_s for each in early]
    print(f"\n{count} tasks in {took_s:.0f} s, {3600 * count / took_s:.0f} an hour; "
          f"longest wait at priority 0 {max(waits):.0f} s")  # fmt: skip


@pytest.mark.usefixtures("slow_model")
def test_a_revoke_ends_the_run_and_keeps_its_notes(application: Application, gather: DeployedGather) -> None:
    """After the start, and before it: what waits has no run."""
    project = new_project()
    sent = application.send(data={"project_id": project, "max_iterations": 20})
    gather.wait_run(sent.id, "to save notes", lambda run: run.status.items_created > 0, 120)
    waiting = application.send(countdown=3600)
    for each in (sent, waiting):
        application.app.control.revoke(each.id, terminate=True)
    application.follow([sent], 60)
    assert sent.state == "REVOKED"
    assert gather.items(project)
    wait_for("the door to remember", lambda: application.redis.zscore(names.CELERY_REVOKED, waiting.id), 30)


@pytest.mark.usefixtures("slow_model")
def test_a_door_that_is_killed_costs_nothing(application: Application, gather: DeployedGather) -> None:
    """In the middle of a run, and with a task that is sent meanwhile."""
    sent = application.send(data={"max_iterations": 3})
    wait_for("progress", lambda: application.state_of(sent) == "PROGRESS", 60)
    gather.kill_pods(SELECTOR)
    second = application.send()
    application.follow([sent, second], 240)
    assert {sent.state, second.state} == {"SUCCESS"}


@pytest.mark.usefixtures("slow_model")
def test_a_mark_in_the_result_backend_revokes_while_no_door_runs(
    application: Application, gather: DeployedGather
) -> None:
    """Of a run at work, which is cancelled, and of a task that waits, which gets no run."""
    running = application.send(data={"max_iterations": 20})
    wait_for("progress", lambda: application.state_of(running) == "PROGRESS", 60)
    with no_door(gather):
        waiting = application.send()
        for each in (running, waiting):
            application.app.backend.mark_as_revoked(each.id, "cancelled by the user")
    gather.wait_run(running.id, "to be cancelled", lambda run: run.status.phase is RunPhase.CANCELLED, 60)
    wait_for("the message to be taken out", lambda: not application.waits(waiting), 30)
    assert not gather.kubectl("get", names.PLURAL, waiting.id, "--ignore-not-found", "-o", "name")
    assert {application.state_of(running), application.state_of(waiting)} == {"REVOKED"}


@contextmanager
def no_door(gather: DeployedGather) -> Iterator[None]:
    """Have no Celery door while the block lasts, and as many as before afterwards."""
    spec = json.loads(gather.kubectl("get", "deployment", DOOR, "-o", "json"))["spec"]
    gather.scale(DOOR, 0)
    try:
        wait_for("the door's pods to be gone", lambda: not gather.objects("pods", SELECTOR), 90)
        yield
    finally:
        gather.scale(DOOR, spec["replicas"])
        gather.wait_ready(DOOR)


def test_a_worker_of_the_application_works_beside_the_door(
    application: Application, gather: DeployedGather, tmp_path: Path
) -> None:
    """On one queue: it gets the evaluations, and sends on what it gets of the door's tasks."""
    application.redis.delete(NOTED)
    worker = canvas_service(tmp_path, application.url, names.EVALUATION_QUEUE, {"FORWARDS_TO": "gather"})
    with worker.running():
        # Enough to reach the department's own threshold, at which an evaluation is asked for.
        sent = [application.send(data={"max_iterations": 20}) for _ in range(2)]
        application.follow(sent, 240)
        projects = {gather.run(each.id).spec.project_id for each in sent}
        wait_for("the evaluations", lambda: projects <= _evaluated(application.url), 60)
    assert [each.state for each in sent] == ["SUCCESS"] * 2


def _evaluated(url: str) -> set[str]:
    return {given[1]["project_id"] for given in noted(url) if given[0] == names.EVALUATION_TASK}


def test_the_metrics_and_probes_are_there(gather: DeployedGather) -> None:
    """Through the door's Service."""
    with gather.forward(DOOR, 8080) as port:
        assert httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=10).text == "ok"
    with gather.forward(DOOR, 9090) as port:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    for name in ("celery_task_total", "celery_queue_length", "celery_worker_available_slots"):
        assert f"\n{name}{{" in text or f"\n{name} " in text
