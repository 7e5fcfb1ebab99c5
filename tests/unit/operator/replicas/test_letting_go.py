"""Runs are let go of where nobody will be there to release them."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from gather_clients.background_tasks import end_tasks
from gather_clients.kube_api.cluster_errors import ClusterUnavailable, Missing
from gather_contracts import names
from gather_operator.errors import NotLeading
from gather_operator.replicas import letting_go, release, term
from gather_operator.replicas.letting_go import let_go
from gather_operator.replicas.term import Inbox, Term
from gather_operator.work_queue import Next, WorkQueue
from tests.support.kubernetes.namespace_in_memory import World

OTHERS = "example.com/keeps"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits."""
    for module, name in ((letting_go, "RETRY_S"), (term, "NAMESPACE_CHECK_S"), (release, "LOOK_S")):
        monkeypatch.setattr(module, name, 0.01)


class Place:
    """What the operator reads of its surroundings."""

    def __init__(self) -> None:
        self.is_ending = False
        self.is_wanted = True

    async def is_namespace_ending(self) -> bool:
        return self.is_ending

    async def is_operator_wanted(self) -> bool:
        return self.is_wanted


def filled(build: Any) -> World:
    world = World()
    for number, finalizers in enumerate([(names.FINALIZER,), (OTHERS, names.FINALIZER), ()]):
        body = build.body(name=f"film-{number}", uid=str(number), finalizers=finalizers)
        world.runs[f"film-{number}"] = body

    async def list_runs(read: Any) -> tuple[list[dict[str, Any]], str]:
        return [read(body) for body in world.runs.values()], "1"

    world.list_runs = list_runs  # type: ignore[attr-defined]
    return world


def held(world: World) -> list[str]:
    return [n for n, body in world.runs.items() if names.FINALIZER in body["metadata"]["finalizers"]]


async def test_only_our_finalizer_is_taken_off(build: Any) -> None:
    """Others have theirs for reasons of their own."""
    world = filled(build)
    assert await let_go(world) == 2  # type: ignore[arg-type]
    assert [body["metadata"]["finalizers"] for body in world.runs.values()] == [[], [OTHERS], []]


async def test_a_run_that_somebody_writes_meanwhile_is_tried_again(build: Any) -> None:
    """So is one that the API server does not answer for."""
    world = filled(build)
    put, failures = world.put_finalizers, iter([ClusterUnavailable("503"), Missing("gone"), None, None])

    async def put_finalizers(name: str, version: str, finalizers: list[str]) -> dict[str, Any]:
        if (error := next(failures, None)) is not None:
            raise error
        return await put(name, version, finalizers)

    world.put_finalizers = put_finalizers  # type: ignore[method-assign, assignment]
    async with asyncio.timeout(30):
        await let_go(world)  # type: ignore[arg-type]
    assert held(world) == []


async def test_without_a_crd_there_is_nothing_to_let_go_of() -> None:
    """It was deleted first."""

    async def list_runs(_: Any) -> Any:
        raise Missing("no such kind")

    assert await let_go(SimpleNamespace(list_runs=list_runs)) == 0


def serving(
    world: World, place: Place, *, acting: bool = True
) -> tuple["asyncio.Task[None]", list[str], Inbox]:
    worked: list[str] = []

    async def work(key: str) -> Next:
        worked.append(key)
        return Next()

    inbox = Inbox()
    one = Term(world, place, inbox, 2, lambda: acting)  # type: ignore[arg-type]
    return asyncio.create_task(one.serve(WorkQueue(), work, ["film-0"])), worked, inbox


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - of fakes without events
            await asyncio.sleep(0.01)


async def end(task: "asyncio.Task[None]") -> None:
    await end_tasks([task])


async def test_a_namespace_that_ends_is_let_go_of_and_nothing_is_decided_any_more(build: Any) -> None:
    """Kubernetes gives the operator five seconds before it deletes its rights."""
    world, place = filled(build), Place()
    task, worked, inbox = serving(world, place)
    await until(lambda: worked == ["film-0"])
    assert len(held(world)) == 2
    place.is_ending = True
    await until(lambda: not held(world))
    inbox.add("film-1")
    await asyncio.sleep(0.05)
    assert worked == ["film-0"]
    await end(task)


@pytest.mark.parametrize("is_wanted", [True, False])
async def test_at_its_end_an_operator_lets_go_if_none_follows(build: Any, is_wanted: bool) -> None:
    """An upgrade or a drain changes nothing about the runs."""
    world, place = filled(build), Place()
    place.is_wanted = is_wanted
    task, worked, _ = serving(world, place)
    await until(lambda: worked == ["film-0"])
    await end(task)
    assert len(held(world)) == (2 if is_wanted else 0)


@pytest.mark.parametrize(
    ("is_ending", "kept"), [(False, 2), (True, 0)], ids=["its own end", "the namespace's"]
)
async def test_a_shard_lets_go_of_its_own_runs_but_of_all_where_all_go(
    build: Any, is_ending: bool, kept: int
) -> None:
    """The other shards' operators stay, or are too few to be waited for."""
    world, place = filled(build), Place()
    place.is_wanted, place.is_ending = False, is_ending
    one = Term(world, place, Inbox(), 2, lambda: True, is_ours=lambda _: False)  # type: ignore[arg-type]
    task = asyncio.create_task(one.serve(WorkQueue(), idle, []))
    if is_ending:
        await until(lambda: not held(world))
    else:
        await asyncio.sleep(0)  # begun
    await end(task)
    assert len(held(world)) == kept


async def idle(_: str) -> Next:
    return Next()


async def test_a_replica_that_has_lost_the_lease_lets_go_of_nothing(build: Any) -> None:
    """Another one holds the runs."""
    world, place = filled(build), Place()
    place.is_wanted = False
    task, worked, _ = serving(world, place, acting=False)
    await until(lambda: worked == ["film-0"])
    await end(task)
    assert len(held(world)) == 2


async def test_between_two_terms_nothing_is_queued() -> None:
    """A standby's queue would grow with every run that it sees."""
    inbox, queue = Inbox(), WorkQueue()
    inbox.add("before")
    inbox.open(queue, ["first"])
    inbox.add("second")
    inbox.close()
    inbox.add("after")
    worked: list[str] = []

    async def work(key: str) -> Next:
        worked.append(key)
        return Next()

    task = asyncio.create_task(queue.run(1, work))
    await until(lambda: len(worked) == 2)
    await end(task)
    assert worked == ["first", "second"]


class Seizing:
    """An elector that gets its Lease at its second try."""

    def __init__(self) -> None:
        self.tries = 0

    async def seize(self, act: Callable[[], Awaitable[None]]) -> None:
        self.tries += 1
        if self.tries == 1:
            raise NotLeading("lost")
        await act()


async def test_before_an_uninstallation_jobs_at_work_are_stopped_and_all_runs_let_go_of(build: Any) -> None:
    """Ended runs keep their Jobs for their logs; each run that is stopped says why."""
    world = filled(build)
    world.runs["film-0"] = build.body(name="film-0", uid=build.uid, status={"phase": "Running"})
    world.jobs = {"live": build.job("story"), "done": build.job("world", is_complete=True)}
    deleted: list[str] = []

    async def delete_job(name: str) -> None:
        deleted.append(name)

    async def list_jobs() -> Any:
        return list(world.jobs.values()), "1"

    world.delete_job, world.list_jobs = delete_job, list_jobs  # type: ignore[method-assign,attr-defined]
    elector, of_another_shard = Seizing(), Seizing()
    async with asyncio.timeout(30):
        await release._seize_all([elector, of_another_shard], world)  # type: ignore[list-item,arg-type]
    assert deleted == [build.job_name("story")]
    assert world.events == ["OperatorUninstalled"]
    assert held(world) == []
    assert (elector.tries, of_another_shard.tries) == (2, 2)
