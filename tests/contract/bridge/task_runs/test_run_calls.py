"""Calls and the watch of a door against a real API server, with the doors' rights and no others."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gather_bridge.errors import NameTaken, TaskRefused
from gather_bridge.task_runs.run_calls import TaskRuns
from gather_bridge.task_runs.task_data import build_manifest, read_task
from gather_bridge.task_runs.task_states import Task, TaskState
from gather_bridge.task_runs.watched_runs import WatchedRuns
from gather_clients.background_tasks import end_tasks
from gather_clients.kube_api.cluster_errors import Conflict, Missing
from gather_contracts import names
from tests.support.doors.doors_api import DoorsApi

SELECTOR = f"{names.LABEL_DOOR}=celery"
DATA = {"project_id": "507f1f77bcf86cd799439011", "user_id": "me"}
LIMIT_S = 30


def manifest(task_id: str = "film", door: str = "celery", **data: Any) -> dict[str, Any]:
    return build_manifest(read_task({**DATA, **data}), task_id, door)


class Seen:
    """What a watch has told of."""

    def __init__(self) -> None:
        self.changes: list[Task] = []
        self.gone: list[Task] = []
        self._news = asyncio.Event()

    def change(self, task: Task) -> None:
        self.changes.append(task)
        self._news.set()

    def leave(self, task: Task) -> None:
        self.gone.append(task)
        self._news.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not holds():
                await self._news.wait()
                self._news.clear()


@asynccontextmanager
async def watching(runs: TaskRuns, selector: str = SELECTOR) -> AsyncIterator[tuple[WatchedRuns, Seen]]:
    seen = Seen()
    watched = WatchedRuns(runs, selector, seen.change, seen.leave)
    task = asyncio.create_task(watched.run())
    try:
        async with asyncio.timeout(LIMIT_S):
            await watched.synced.wait()
        yield watched, seen
    finally:
        await end_tasks([task])


async def test_a_task_is_one_run_however_often_it_is_created(
    task_runs: TaskRuns, kubernetes: DoorsApi
) -> None:
    made = await asyncio.gather(*(task_runs.create(manifest()) for _ in range(5)))
    assert sorted(is_new for _, is_new in made) == [False] * 4 + [True]
    assert len({body["metadata"]["uid"] for body, _ in made}) == 1
    assert len(kubernetes.runs()) == 1


async def test_another_s_run_is_not_taken_for_the_task_s(task_runs: TaskRuns) -> None:
    await task_runs.create(manifest(door="http"))
    with pytest.raises(NameTaken, match="film"):
        await task_runs.create(manifest())


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"webhook_url": "http://example.com"}, "webhookUrl"),
        ({"departments": ["a", "a"]}, "departments"),
        ({"departments": ["a", "b"], "max_iterations": 1}, "maxIterations"),
        ({"user_id": " "}, "userId"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_what_the_api_server_refuses_names_the_field(
    task_runs: TaskRuns, data: dict[str, Any], field: str
) -> None:
    with pytest.raises(TaskRefused) as refused:
        await task_runs.create(manifest(**data))
    assert refused.value.field == field
    assert refused.value.reason.startswith(field)


async def test_cancelling_is_a_patch_that_may_be_repeated(task_runs: TaskRuns, kubernetes: DoorsApi) -> None:
    await task_runs.create(manifest())
    await task_runs.cancel("film")
    await task_runs.cancel("film")
    assert kubernetes.run("film")["spec"]["cancel"] is True
    with pytest.raises(Missing):
        await task_runs.cancel("other")


async def test_a_mark_is_that_very_run_s(task_runs: TaskRuns) -> None:
    body, _ = await task_runs.create(manifest())
    uid = body["metadata"]["uid"]
    marked = await task_runs.mark("film", uid, labels={"a": "b"}, annotations={"c": "d"})
    assert marked["metadata"]["annotations"]["c"] == "d"
    with pytest.raises(Conflict):
        await task_runs.mark("film", "00000000-0000-0000-0000-000000000000", labels={"a": "c"})


async def test_a_watch_brings_what_there_is_and_what_follows(
    task_runs: TaskRuns, kubernetes: DoorsApi
) -> None:
    await task_runs.create(manifest("before"))
    await task_runs.create(manifest("foreign", door="http"))
    async with watching(task_runs) as (watched, seen):
        assert set(watched.tasks) == {"before"}
        await task_runs.create(manifest("after"))
        kubernetes.put_status("after", {"phase": "Running"})
        await seen.until(
            lambda: "after" in watched.tasks and watched.tasks["after"].state is TaskState.PROCESSING
        )
        kubernetes.delete("before")
        await seen.until(lambda: set(watched.tasks) == {"after"})
        assert [task.run for task in seen.gone] == ["before"]


async def test_an_empty_namespace_is_known_at_once(task_runs: TaskRuns) -> None:
    """The API server marks the end of what there is, so nobody waits for silence."""
    async with asyncio.timeout(2.5), watching(task_runs) as (watched, _):
        assert watched.tasks == {}


async def test_a_run_that_no_longer_fits_goes(task_runs: TaskRuns) -> None:
    body, _ = await task_runs.create(manifest())
    async with watching(task_runs, f"{SELECTOR},done!=yes") as (watched, seen):
        await task_runs.mark("film", body["metadata"]["uid"], labels={"done": "yes"})
        await seen.until(lambda: not watched.tasks)
        assert [task.run for task in seen.gone] == ["film"]


async def test_after_an_outage_what_has_gone_is_gone(task_runs: TaskRuns, kubernetes: DoorsApi) -> None:
    """The watch begins from nothing, which says nothing of what was deleted meanwhile."""
    for name in ("kept", "deleted"):
        await task_runs.create(manifest(name))
    async with watching(task_runs) as (watched, seen):
        watched._since = "1"  # far too old: as after a long outage
        kubernetes.process.kill()
        kubernetes.process.start()
        watched._since = "1"
        kubernetes.delete("deleted")
        await seen.until(lambda: set(watched.tasks) == {"kept"} and bool(seen.gone))
        assert watched.trouble == ""
