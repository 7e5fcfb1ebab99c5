"""Runs whose Jobs belong to a queue that keeps to Kueue's protocol.

A Job that bears a queue's name is made suspended; the queue resumes what it admits and suspends it again for
one that goes before it, and nobody else does either.
"""

from collections.abc import Callable
from typing import Any

import pytest

from gather_contracts import names
from gather_operator.decisions.manifests import WorkerTemplate
from gather_operator.reconcile import Reconciler
from gather_operator.run_cache import RunCache
from tests.support.kubernetes.operator_in_memory import dependencies_on, naming

SLUGS = ("story", "world")
SPEC = {"worker": {"labels": {names.LABEL_QUEUE: "films"}}}
STEPS_MAX = 60


class Queue:
    """The operator over a namespace in memory, and a queue that admits what it is let."""

    def __init__(self, world: Any, build: Any) -> None:
        self.world = world
        self.cache = RunCache()
        self.is_open = False
        self.most_at_work = 0
        self.reconciler = Reconciler(
            dependencies_on(world, self.cache, naming(build, *SLUGS)),
            WorkerTemplate(image="worker"),
        )
        world.runs["film"] = build.body(finalizers=(), spec=SPEC)

    def change(self, **spec: Any) -> None:
        """Do what a user does."""
        body = self.world.runs["film"]
        metadata = {**body["metadata"], "resourceVersion": self.world._next()}
        self.world.runs["film"] = {**body, "metadata": metadata, "spec": {**body["spec"], **spec}}

    @property
    def phase(self) -> str:
        """Return the run's phase."""
        return str(self.world.runs["film"]["status"].get("phase", ""))

    @property
    def at_work(self) -> list[str]:
        """Return the pods that work."""
        return [p.name for p in self.world.pods.values() if p.is_alive]

    async def step(self) -> None:
        """One pass, one round of the queue, and what the rest of the cluster does meanwhile."""
        for body in list(self.world.runs.values()):
            self.cache.put(body)
        for run in self.cache.all():
            await self.reconciler.work(run.metadata.uid)
        if self.is_open:
            self.world.admit()
        self.most_at_work = max(self.most_at_work, len(self.at_work))
        self.world.step()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Steps until it holds."""
        for _ in range(STEPS_MAX):
            if holds():
                return
            await self.step()
        raise AssertionError(self.world.runs)


@pytest.fixture
def queue(make_world: Any, build: Any) -> Queue:
    """A queue that is closed."""
    return Queue(make_world(), build)


async def wait_in_line(queue: Queue) -> None:
    """Bring the run to where its first Job waits."""
    await queue.until(lambda: bool(queue.world.jobs))
    for _ in range(5):
        await queue.step()


async def test_a_job_waits_until_the_queue_admits_it(queue: Queue) -> None:
    """Nobody else resumes it; admitted, the run goes through with one Job a department."""
    await wait_in_line(queue)
    assert (queue.phase, queue.at_work) == ("Running", [])
    assert [j.is_suspended for j in queue.world.jobs.values()] == [True]
    queue.is_open = True
    await queue.until(lambda: queue.phase == "Succeeded")
    assert len(queue.world.created_jobs) == len(SLUGS)
    assert queue.most_at_work == 1


async def test_a_job_that_the_queue_takes_out_goes_on_when_it_is_let_in_again(queue: Queue) -> None:
    """Its pod saves; the Job stays the same."""
    await wait_in_line(queue)
    queue.world.admit()
    queue.world.evict()
    for _ in range(5):
        await queue.step()
    assert (queue.phase, queue.at_work) == ("Running", [])
    queue.is_open = True
    await queue.until(lambda: queue.phase == "Succeeded")
    assert len(queue.world.created_jobs) == len(SLUGS)


@pytest.mark.parametrize("is_admitted", [True, False])
async def test_a_held_run_gives_its_place_up(queue: Queue, is_admitted: bool) -> None:
    """The queue would resume the Job for as long as it stands; the next one queues again."""
    await wait_in_line(queue)
    queue.is_open = is_admitted
    if is_admitted:
        queue.world.admit()
    queue.change(suspend=True)
    await queue.until(lambda: queue.phase == "Suspended" and not queue.at_work)
    queue.is_open = True
    for _ in range(5):
        await queue.step()
    assert (queue.world.jobs, queue.at_work, queue.phase) == ({}, [], "Suspended")
    queue.change(suspend=False)
    await queue.until(lambda: queue.phase == "Succeeded")
    assert len(queue.world.created_jobs) == len(set(queue.world.created_jobs)) == len(SLUGS) + 1
    assert queue.most_at_work == 1


async def test_a_run_can_be_held_again_and_again(queue: Queue) -> None:
    """More often than a Job may be lost by accident."""
    for _ in range(5):
        await wait_in_line(queue)
        queue.change(suspend=True)
        await queue.until(lambda: queue.phase == "Suspended" and not queue.world.jobs)
        queue.change(suspend=False)
    queue.is_open = True
    await queue.until(lambda: queue.phase == "Succeeded")


async def test_a_run_in_line_can_be_cancelled(queue: Queue) -> None:
    """Nothing is left that the queue could admit."""
    await wait_in_line(queue)
    queue.change(cancel=True)
    await queue.until(lambda: queue.phase == "Cancelled")
    assert queue.world.jobs == {}
