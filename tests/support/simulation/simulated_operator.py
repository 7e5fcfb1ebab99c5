"""An operator's process: what `gather_operator.main` builds, with the API server and Redis of the simulation.

In the place of kopf stands a plain watch that can be deaf for a while; another carries the runs meanwhile.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

from gather_operator.cms.shared_readings import SharedReadings
from gather_operator.decisions.manifests import WorkerTemplate
from gather_operator.event_publisher import EventPublisher
from gather_operator.health import Health, WatchCanary
from gather_operator.kube.cluster import Cluster
from gather_operator.kube.informer import Observer
from gather_operator.kube.status_writer import StatusWriter
from gather_operator.live_numbers import Listener, LiveNumbers
from gather_operator.reconcile import Dependencies, Reconciler
from gather_operator.replicas.term import Inbox
from gather_operator.replicas.unshown_ends import UnshownEnds
from gather_operator.resync import Resync, delivery
from gather_operator.run_cache import RunCache
from gather_operator.work_queue import WorkQueue
from tests.support.simulation.cluster.kube_in_memory import RUNS, ApiServer, SimulatedApiCalls
from tests.support.simulation.processes import Machine, Process
from tests.support.simulation.redis_in_memory import NoWebhooks, RedisInMemory, SimulatedEventLog
from tests.support.simulation.thinking_services import SimulatedCms
from tests.support.simulation.virtual_time import monotonic
from tests.support.simulation.wire import Wire

TICK_S: Final = 3.0
RELIST_S: Final = 10.0
STATUS_INTERVAL_S: Final = 1.0
WATCH_SILENCE_S: Final = 30.0
CMS_PATIENCE_S: Final = 60.0
WORKERS: Final = 8


class OrderedQueue(WorkQueue):
    """A queue that takes in what was added at the same moment in the order of the keys.

    The product adds from sets, whose order Python draws anew in each process.
    """

    def __init__(self, is_urgent: Callable[[str], bool], is_late: Callable[[str], bool]) -> None:
        super().__init__(is_urgent, is_late)
        self._added: dict[str, bool] = {}

    def add(self, key: str, *, is_asked_for: bool = False) -> None:
        """Queue the key in this turn of the loop."""
        if not self._added:
            asyncio.get_running_loop().call_soon(self._take)
        self._added[key] = is_asked_for or self._added.get(key, False)

    def _take(self) -> None:
        added, self._added = self._added, {}
        for key in sorted(added):
            super().add(key, is_asked_for=added[key])


class OperatorProcess(Process):
    """One life of an operator."""

    deaf_until_s: float = 0.0
    """Its watch of GatherRuns brings nothing until then."""


class Operators:
    """Starts operators; what they talk to is the same for all of them."""

    def __init__(self, server: ApiServer, wire: Wire, redis: RedisInMemory, cms: SimulatedCms) -> None:
        self._server, self._wire, self._redis, self._cms = server, wire, redis, cms
        self._lives = 0

    def start(self, machine: Machine) -> OperatorProcess:
        """Start an operator."""
        self._lives += 1
        operator = OperatorProcess(f"operator-{self._lives}", machine)
        operator.start(self._run(operator))
        return operator

    async def _run(self, operator: OperatorProcess) -> None:
        calls: Any = SimulatedApiCalls(self._server, self._wire)
        log: Any = SimulatedEventLog(self._redis, self._wire)
        webhooks: Any = NoWebhooks()
        cluster = Cluster(calls, "films")
        cache, live = RunCache(None), LiveNumbers()
        queue = OrderedQueue(cache.is_stopping, cache.is_to_begin)
        observer = Observer(cluster, queue.add, queue.add_soon, lambda uid: cache.ended(uid) is not None)
        canary = WatchCanary(WATCH_SILENCE_S)
        health = Health(canary, list, lambda: True)
        reconciler = Reconciler(
            Dependencies(
                cluster, SharedReadings(self._cms, queue.add, CMS_PATIENCE_S), observer, cache, live,
                StatusWriter(cluster, cache, STATUS_INTERVAL_S), EventPublisher(log, webhooks),
                usual_starts=observer.usual_starts,
            ),
            WorkerTemplate(image="worker"),
            "default/model",
            300,
        )  # fmt: skip
        resync = Resync(cluster, cache, cast(Inbox, queue), health)
        ends = UnshownEnds(lambda: True, lambda: "", lambda uid: observer.cached(uid)[1])
        listener = Listener(
            log,
            live,
            queue.add,
            lambda: sorted({r.spec.project_id for r in cache.all() if not r.status.phase.is_final}),
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(resync.run(TICK_S, RELIST_S))
            await resync.listed.wait()
            group.create_task(observer.run())
            group.create_task(self._watch(operator, delivery(cache, cast(Inbox, queue), canary, ends)))
            await observer.synced()
            group.create_task(listener.run())
            group.create_task(queue.run(WORKERS, reconciler.work))

    async def _watch(self, operator: OperatorProcess, deliver: Callable[[str, Any], None]) -> None:
        """Deliver changes of GatherRuns, as kopf does; what comes while it is deaf is lost."""
        since = self._server.version
        while True:
            try:
                async for version, change, body in self._server.changes(RUNS, since):
                    since = version
                    await asyncio.sleep(0.01)
                    if monotonic() >= operator.deaf_until_s:
                        deliver(change, body)
            except Exception:  # noqa: BLE001 - kopf lists again whatever the error
                since = self._server.version
            await asyncio.sleep(1.0)
