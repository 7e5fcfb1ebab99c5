"""Our Jobs and pods, kept current by list and watch with a label selector.

kopf would list and watch all Jobs and pods of the namespace and filter them here. Whatever goes wrong with a
watch (an error event, a torn line, silence) ends in a new list.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Final, Generic, TypeVar, cast

from gather_clients.backoff import Backoff
from gather_operator.decisions.facts import JobFacts, PodFacts
from gather_operator.errors import ClusterError, Conflict
from gather_operator.kube.cluster import WATCH_WINDOW_S, Cluster, Identified
from gather_operator.metrics import RELISTS
from gather_operator.run_cache import version_number

logger = logging.getLogger(__name__)

SILENCE_S: Final = WATCH_WINDOW_S + 15
"""Nothing received for this long: the connection may be dead, so everything is listed again."""
BACKOFF: Final = Backoff(0.4, 5.0)
GONE_PODS_MAX: Final = 1024
"""Results of deleted pods that are remembered; a run that is being stopped needs its last one for seconds."""

T = TypeVar("T", bound=Identified)
ListCall = Callable[[], Awaitable[tuple[list[T], str]]]
WatchCall = Callable[[str], AsyncIterator[tuple[str, T]]]
Notify = Callable[[str], None]


class Informer(Generic[T]):
    """A cache of one kind of object."""

    def __init__(
        self,
        kind: str,
        list_objects: ListCall[T],
        watch_objects: WatchCall[T],
        notify: Notify,
        forget: Callable[[T], None] = lambda _: None,
    ) -> None:
        """`notify` gets the UID of each run that is concerned; `forget` gets each object that was deleted."""
        self._kind = kind
        self._list = list_objects
        self._watch = watch_objects
        self._notify = notify
        self._forget = forget
        self._objects: dict[str, T] = {}
        self.synced = asyncio.Event()
        self.last_seen_s = time.monotonic()
        """When the API last answered, on the monotonic clock."""

    def of_run(self, run_uid: str) -> list[T]:
        """Return the run's objects."""
        return [o for o in self._objects.values() if o.run_uid == run_uid]

    async def run(self) -> None:
        """List and watch until cancelled."""
        failures = 0
        reason = "start"
        while True:
            try:
                version = await self._relist(reason)
                failures = 0
                reason = await self._follow(version)
            except ClusterError as error:
                failures += 1
                reason = "gone" if isinstance(error, Conflict) else "error"
                logger.warning("watch failed; listing again", extra={"kind": self._kind, "error": str(error)})
                await asyncio.sleep(BACKOFF.wait_s(failures))

    async def _relist(self, reason: str) -> str:
        objects, version = await self._list()
        RELISTS.labels(kind=self._kind, reason=reason).inc()
        self._heard()
        before, self._objects = self._objects, {o.name: o for o in objects}
        for name, old in before.items():
            if name not in self._objects:
                self._forget(old)
        pairs = ((before.get(n), self._objects.get(n)) for n in before.keys() | self._objects.keys())
        changed = {o.run_uid for old, new in pairs if old != new for o in (old, new) if o is not None}
        for run_uid in changed:
            self._notify(run_uid)
        self.synced.set()
        return version

    async def _follow(self, version: str) -> str:
        """Apply changes until the watch falls silent; raises ClusterError when it breaks."""
        # What the watch calls return are async generators; closing them closes their connection.
        async with aclosing(cast("AsyncGenerator[tuple[str, T], None]", self._watch(version))) as events:
            while True:
                try:
                    async with asyncio.timeout(SILENCE_S):
                        kind, changed = await anext(events)
                except TimeoutError:
                    return "silence"
                except StopAsyncIteration:
                    return "end"
                self._heard()
                self._apply(kind, changed)

    def _apply(self, kind: str, changed: T) -> None:
        known = self._objects.get(changed.name)
        if known is not None and _version(known) > _version(changed):
            return
        if kind == "DELETED":
            self._objects.pop(changed.name, None)
            self._forget(changed)
        else:
            self._objects[changed.name] = changed
        self._notify(changed.run_uid)

    def _heard(self) -> None:
        self.last_seen_s = time.monotonic()


class Observer:
    """The Jobs and pods of all runs, and the results of pods that are gone."""

    def __init__(self, cluster: Cluster, notify: Notify) -> None:
        self.jobs: Informer[JobFacts] = Informer("jobs", cluster.list_jobs, cluster.watch_jobs, notify)
        self.pods: Informer[PodFacts] = Informer(
            "pods", cluster.list_pods, cluster.watch_pods, notify, self._remember
        )
        self._cluster = cluster
        self._gone: OrderedDict[str, PodFacts] = OrderedDict()

    async def run(self) -> None:
        """Keep both caches current until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.jobs.run())
            group.create_task(self.pods.run())

    async def synced(self) -> None:
        """Return once both caches have been filled."""
        await self.jobs.synced.wait()
        await self.pods.synced.wait()

    def cached(self, run_uid: str) -> tuple[dict[str, JobFacts], tuple[PodFacts, ...]]:
        """Return the run's Jobs and pods from the cache."""
        return self._joined(run_uid, self.jobs.of_run(run_uid), self.pods.of_run(run_uid))

    async def fresh(self, run_uid: str) -> tuple[dict[str, JobFacts], tuple[PodFacts, ...]]:
        """Return the run's Jobs and pods as the API has them now; raises ClusterError."""
        # Jobs first: a pod of a Job that is seen is then seen too.
        jobs, _ = await self._cluster.list_jobs(run_uid)
        pods, _ = await self._cluster.list_pods(run_uid)
        return self._joined(run_uid, jobs, pods)

    def _joined(
        self, run_uid: str, jobs: list[JobFacts], pods: list[PodFacts]
    ) -> tuple[dict[str, JobFacts], tuple[PodFacts, ...]]:
        present = {p.name for p in pods}
        gone = [p for p in self._gone.values() if p.run_uid == run_uid and p.name not in present]
        ordered = sorted([*gone, *pods], key=lambda p: (p.created, p.name))
        return {j.name: j for j in jobs}, tuple(ordered)

    def _remember(self, pod: PodFacts) -> None:
        self._gone[pod.name] = replace(pod, is_gone=True)
        while len(self._gone) > GONE_PODS_MAX:
            self._gone.popitem(last=False)


def _version(known: Identified) -> int:
    return version_number(known.resource_version)
