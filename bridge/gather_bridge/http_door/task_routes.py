"""The door's three calls: submit, status, cancel."""

import logging
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Request, Response

from gather_bridge.errors import NameTaken, TaskRefused
from gather_bridge.http_door.door_errors import KeyReused, TaskEnded, TaskIdTaken, TaskMissing
from gather_bridge.http_door.door_keys import Caller
from gather_bridge.http_door.door_metrics import DoorMetrics
from gather_bridge.http_door.key_gate import Places, charge
from gather_bridge.http_door.submissions import Submission, prepare, refusal
from gather_bridge.http_door.task_answers import accepted, status_of
from gather_bridge.http_door.task_bodies import (
    TaskAccepted,
    TaskCancelled,
    TaskStatusBody,
    TaskSubmission,
)
from gather_bridge.http_door.task_line import TaskLine
from gather_bridge.task_runs.run_calls import TaskRuns
from gather_bridge.task_runs.task_data import TASK_ID_MAX
from gather_bridge.task_runs.task_states import Task, TaskState, task_of
from gather_bridge.task_runs.watched_runs import WatchedRuns
from gather_clients.kube_api.cluster_errors import (
    ClusterError,
    ClusterUnavailable,
    Conflict,
    Missing,
    Refused,
)
from gather_clients.limits.buckets import Buckets
from gather_clients.web.json_route import JsonRoute
from gather_clients.web.service_errors import UnavailableError
from gather_contracts import names

logger = logging.getLogger(__name__)

router: Final = APIRouter(route_class=JsonRoute)

CANCELLING: Final = "The task is being cancelled; what it made stays."
CANCELLED: Final = "The task was cancelled; what it made stays."
REPLAYED: Final = "Idempotency-Replayed"

TaskId = Annotated[
    str,
    Path(min_length=1, max_length=TASK_ID_MAX, description="The task's id, or a GatherRun's name."),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="The same key with the same body is the same task, for as long as its GatherRun exists.",
    ),
]


@dataclass(frozen=True, slots=True)
class Door:
    """What the calls work with; as long as the process lives."""

    runs: TaskRuns
    watched: WatchedRuns
    line: TaskLine
    buckets: Buckets
    metrics: DoorMetrics
    places: Places
    """Of calls of the Kubernetes API, which may take long."""
    allowed_networks: Sequence[IPv4Network | IPv6Network] = ()

    async def create(self, caller: Caller, submission: Submission) -> tuple[Task, bool]:
        """Return the task and whether it was made now; raises ServiceError."""
        try:
            with self.places.taken(caller.name):
                body, is_new = await self._surely(submission)
        except TaskRefused as refused:
            raise refusal(refused) from None
        except NameTaken:
            raise TaskIdTaken from None
        except ClusterError as error:
            raise unavailable(error) from None
        task = task_of(body)
        if task.annotations.get(names.ANNOTATION_REQUEST, "") != submission.request_sha256:
            raise KeyReused(task.id)
        return task, is_new

    async def _surely(self, submission: Submission) -> tuple[dict[str, Any], bool]:
        """Create; an answer that was lost is asked for again, for the run may have been made."""
        try:
            return await self.runs.create(submission.manifest)
        except (ClusterUnavailable, Conflict) as lost:  # a quota's count conflicts as well
            if lost.retry_after_s:
                raise
            logger.info("a GatherRun's creation is repeated", extra={"error": str(lost)[:300]})
            made, _ = await self.runs.create(submission.manifest)
            return made, True

    async def find(self, state: MutableMapping[str, Any], task_id: str) -> Task:
        """Return a task of one of the caller's projects; raises ServiceError."""
        caller: Caller = state["caller"]
        task = await self._known(state, task_id)
        if task is None or task_id not in {task.id, task.run}:
            raise TaskMissing
        caller.require(task.project_id, "Task not found")
        return task

    async def _known(self, state: MutableMapping[str, Any], task_id: str) -> Task | None:
        name = names.task_run_name(task_id)
        if (task := self.watched.tasks.get(name)) is not None:
            return task
        # Perhaps made a moment ago at another door.
        await charge(state, self.buckets, self.metrics, "unknown")
        try:
            with self.places.taken(state["caller"].name):
                return task_of(await self.runs.get(name))
        except Missing:
            return None
        except ClusterError as error:
            raise unavailable(error) from None

    async def cancel(self, caller: Caller, task: Task) -> None:
        """Have a task end; raises ServiceError."""
        try:
            with self.places.taken(caller.name):
                await self.runs.cancel(task.run)
        except Missing:
            raise TaskMissing from None
        except ClusterError as error:
            raise unavailable(error) from None


def unavailable(error: ClusterError) -> UnavailableError:
    """Return the answer while the Kubernetes API does not do what was asked; its own words are logged."""
    level = logging.ERROR if isinstance(error, Refused) else logging.WARNING
    logger.log(level, "the Kubernetes API did not do it", extra={"error": str(error)})
    return UnavailableError(max(round(error.retry_after_s or 0), 2))


def door_of(request: Request) -> Door:
    """Return what the calls work with."""
    door: Door = request.app.state.door
    return door


@router.post("/tasks/submit", status_code=201)
async def submit_task(
    request: Request, response: Response, body: TaskSubmission, idempotency_key: IdempotencyKey = None
) -> TaskAccepted:
    """Submit a task; it is a GatherRun as soon as this answers.

    Without an Idempotency-Key each request makes another task.
    """
    door, caller = door_of(request), request.state.caller
    caller.require(body.project_id)
    submission = prepare(body, caller.name, idempotency_key, door.allowed_networks)
    task, is_new = await door.create(caller, submission)
    door.metrics.submitted.labels(result="new" if is_new else "repeated").inc()
    if not is_new:
        response.headers[REPLAYED] = "true"
    # Relative to this address, so that a proxy may add a prefix.
    response.headers["Location"] = f"{task.id}/status"
    logger.info("task submitted", extra={"task_id": task.id, "project_id": task.project_id, "new": is_new})
    return accepted(task, door.line)


@router.get("/tasks/{task_id}/status")
async def get_task_status(request: Request, task_id: TaskId) -> TaskStatusBody:
    """Return a task as it stands; ask every 2 seconds if you like, it costs no call elsewhere."""
    door = door_of(request)
    return status_of(await door.find(request.scope["state"], task_id), door.line)


@router.delete("/tasks/{task_id}/cancel")
async def cancel_task(request: Request, task_id: TaskId) -> TaskCancelled:
    """Cancel a task, as often as you like; what it made stays, and its GatherRun too.

    What is at work gets SIGTERM, saves, and has 30 seconds; the status is `cancelled` once all has ended.
    """
    return await _cancel(request, task_id)


@router.delete("/tasks/{task_id}")
async def delete_task(request: Request, task_id: TaskId) -> TaskCancelled:
    """Cancel a task: the same as with `/cancel`."""
    return await _cancel(request, task_id)


async def _cancel(request: Request, task_id: str) -> TaskCancelled:
    door = door_of(request)
    task = await door.find(request.scope["state"], task_id)
    if task.state is TaskState.CANCELLED:
        return TaskCancelled(task_id=task.id, status="cancelled", message=CANCELLED)
    if task.state.is_final:
        raise TaskEnded(task.state.value)
    await door.cancel(request.state.caller, task)
    logger.info("task cancelled", extra={"task_id": task.id, "project_id": task.project_id})
    return TaskCancelled(task_id=task.id, status="cancelled", message=CANCELLING)
