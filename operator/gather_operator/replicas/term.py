"""One term of acting, from taking the Lease to losing it; what was remembered of decisions ends with it."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import Final

from gather_clients.background_tasks import end_tasks
from gather_operator.errors import NotLeading
from gather_operator.kube.surroundings import Surroundings
from gather_operator.metrics import QUEUE_DEPTH, RUNS
from gather_operator.replicas.letting_go import Runs, let_go
from gather_operator.work_queue import Work, WorkQueue

logger = logging.getLogger(__name__)

NAMESPACE_CHECK_S: Final = 1.5
"""Kubernetes waits 5 s between a namespace's deletion and that of what is in it, our rights among it.

Source: namespaceDeletionGracePeriod in kubernetes/pkg/controller/namespace/namespace_controller.go.
"""
FAREWELL_S: Final = 15.0
"""For letting go on a clean end; a pod gets 30 s, and the passes under way need some of them."""


class Inbox:
    """Leads what watches bring into the queue of the term; between two terms nothing is queued."""

    def __init__(self) -> None:
        self._queue: WorkQueue | None = None

    def add(self, key: str, *, is_asked_for: bool = False) -> None:
        """Queue the key, if this replica acts."""
        if self._queue is not None:
            self._queue.add(key, is_asked_for=is_asked_for)

    def add_soon(self, key: str) -> None:
        """Queue the key, which can wait, if this replica acts."""
        if self._queue is not None:
            self._queue.add_soon(key)

    def tick(self, key: str, interval_s: float) -> None:
        """Queue the key so that its passes are no further apart than that, if this replica acts."""
        if self._queue is not None:
            self._queue.tick(key, interval_s)

    def open(self, queue: WorkQueue, keys: Iterable[str]) -> None:
        """Lead into this queue from now on, and begin with these keys."""
        self._queue = queue
        for key in keys:
            queue.add(key)

    def close(self) -> None:
        """Queue nothing from now on."""
        self._queue = None
        QUEUE_DEPTH.set(0)
        RUNS.clear()


class Term:
    """Works on runs while this replica acts, and lets go of them where nobody will come after it."""

    def __init__(
        self,
        runs: Runs,
        surroundings: Surroundings,
        inbox: Inbox,
        workers: int,
        is_acting: Callable[[], bool],
        *,
        is_ours: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """`is_acting` says whether this replica may still write, `is_ours` whether a run is its shard's."""
        self._is_ours = is_ours
        self._runs = runs
        self._surroundings = surroundings
        self._inbox = inbox
        self._workers = workers
        self._is_acting = is_acting

    async def serve(self, queue: WorkQueue, work: Work, keys: Iterable[str]) -> None:
        """Work until cancelled, or until the namespace is being deleted; then only let go of runs."""
        self._inbox.open(queue, keys)
        try:
            await self._until_the_namespace_ends(queue, work)
        except asyncio.CancelledError:
            if self._is_acting():
                await self._say_farewell()
            raise
        finally:
            self._inbox.close()

    async def _until_the_namespace_ends(self, queue: WorkQueue, work: Work) -> None:
        working = asyncio.ensure_future(queue.run(self._workers, work))
        watching = asyncio.ensure_future(self._namespace_ends())
        try:
            await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_tasks((working, watching))
        for task in (working, watching):
            if not task.cancelled():
                task.result()  # whatever ended it unexpectedly
        self._inbox.close()
        logger.warning("the namespace is being deleted: letting go of all runs")
        while True:
            with contextlib.suppress(NotLeading):  # then this term is about to be cancelled
                await let_go(self._runs)
            await asyncio.sleep(NAMESPACE_CHECK_S)

    async def _namespace_ends(self) -> None:
        while not await self._surroundings.is_namespace_ending():  # noqa: ASYNC110 - it is others' doing
            await asyncio.sleep(NAMESPACE_CHECK_S)

    async def _say_farewell(self) -> None:
        """Let go of all runs if no pod of the operator follows, so that they can be deleted without one."""
        try:
            async with asyncio.timeout(FAREWELL_S):
                if not await self._surroundings.is_operator_wanted():
                    released = await let_go(self._runs, lambda run: self._is_ours(run["metadata"]["uid"]))
                    logger.warning("no operator follows: let go of all runs", extra={"runs": released})
        except (NotLeading, TimeoutError) as error:
            logger.warning("not all runs were let go of", extra={"error": str(error) or "out of time"})
