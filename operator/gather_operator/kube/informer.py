"""Our Jobs and pods, kept current by list and watch with a label selector.

kopf would list and watch all Jobs and pods of the namespace and filter them here. A watch that ends, or
whose connection breaks, goes on from the last version that it brought, bookmarks included. Everything is
listed again only where that would not be right: the version is too old, the watch says something that is not
understood, it is silent, or it does not get on.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from typing import Final, Generic, TypeVar, cast

from gather_clients.backoff import Backoff
from gather_clients.kube_api.cluster_errors import ClusterError, ClusterUnavailable, Conflict
from gather_operator.decisions.facts import JobFacts, PodFacts, UsualStarts
from gather_operator.decisions.news import is_job_news, is_pod_news
from gather_operator.kube.cluster import BOOKMARK, WATCH_WINDOW_S, Cluster, Identified
from gather_operator.kube.conversion import ObjectFacts
from gather_operator.kube.start_times import StartTimes
from gather_operator.metrics import RELISTS
from gather_operator.run_cache import version_number

logger = logging.getLogger(__name__)

SILENCE_S: Final = WATCH_WINDOW_S + 10
"""Nothing received for this long: the connection may be dead, so everything is listed again."""
SILENCE_STEP_S: Final = 1.0
"""A watch is called silent so much earlier at most."""
BACKOFF: Final = Backoff(0.4, 5.0)
SHORT_S: Final = 1.0
"""A watch that ended sooner, with nothing received, did not get on."""
SHORT_MAX: Final = 4
"""So many of those in a row, and everything is listed again."""
STALE_MAX: Final = 4
"""After so many failures in a row an older list is believed: the cluster's store was restored."""
SETTLED_S: Final = 5.0
"""A watch that has lasted this long has come right: the next failure is a first one again."""
SWEEP_S: Final = 10.0
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
        *,
        is_version_read: bool = False,
        notify_later: Notify | None = None,
        is_news: Callable[[T | None, T], bool] = lambda *_: True,
        is_over: Callable[[str], bool] = lambda _: False,
        is_ours: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """`notify` gets the UID of each run that is concerned; `forget` gets each object that was deleted.

        `is_version_read`: a new version alone is worth a notice. `notify_later` gets the UID where a change
        of what is read is no news. `is_over`: nothing is left to do for a run, so what it has is not kept.
        `is_ours`: the run is this shard's; what others have is passed over.
        """
        self._is_over = is_over
        self._is_ours = is_ours
        self._swept: set[str] = set()
        self._notify_later = notify_later or notify
        self._is_news = is_news
        self._is_version_read = is_version_read
        self._kind = kind
        self._list = list_objects
        self._watch = watch_objects
        self._notify = notify
        self._forget = forget
        self._objects: dict[str, T] = {}
        self._by_run: dict[str, dict[str, T]] = {}
        self._seen = ""
        """The last version that a list or a watch brought."""
        self._failures = 0
        self.synced = asyncio.Event()
        self.last_seen_s = time.monotonic()
        """When the API last answered, on the monotonic clock."""

    @property
    def seen(self) -> int:
        """Return the last version that a list or a watch has brought."""
        return version_number(self._seen)

    def of_run(self, run_uid: str) -> list[T]:
        """Return the run's objects."""
        return list(self._by_run.get(run_uid, {}).values())

    def get(self, name: str) -> T | None:
        """Return the object of that name, None if it is not known."""
        return self._objects.get(name)

    def all(self) -> list[T]:
        """Return all objects."""
        return list(self._objects.values())

    def has(self, run_uid: str) -> bool:
        """Return whether the run has any."""
        return run_uid in self._by_run

    def note(self, made: T) -> None:
        """Take in what was just created, unless a watch has come as far and shown what became of it."""
        if _version(made) > version_number(self._seen) and not self._is_older(made):
            self._put(made)

    def merge(self, run_uid: str, objects: Iterable[T], resource_version: str) -> None:
        """Take a list of a run's objects, of that version, as the truth: it heals what a watch has lost."""
        listed = {o.name: o for o in objects}
        for o in listed.values():
            if not self._is_older(o):
                self._put(o)
        taken = version_number(resource_version)
        for old in self.of_run(run_uid):
            if old.name not in listed and _version(old) <= taken:
                self._drop(old.name)
                self._forget(old)

    def sweep(self) -> None:
        """Drop what runs have that were over at the last sweep already: their ends have been counted."""
        over = set(filter(self._is_over, self._by_run))
        for run_uid in over & self._swept:
            for o in self.of_run(run_uid):
                self._drop(o.name)
        self._swept = over

    async def run(self) -> None:
        """List and watch until cancelled."""
        self._heard()  # silence counts from now on
        reason = "start"
        while True:
            try:
                await self._relist(reason)
                reason = await self._follow()
            except ClusterError as error:
                self._failures += 1
                reason = "gone" if isinstance(error, Conflict) else "error"
                logger.warning("watch failed; listing again", extra={"kind": self._kind, "error": str(error)})
                await asyncio.sleep(max(BACKOFF.wait_s(self._failures), error.retry_after_s or 0))

    async def _relist(self, reason: str) -> None:
        objects, version = await self._list()
        if version_number(version) < version_number(self._seen) and self._failures < STALE_MAX:
            raise ClusterUnavailable(f"list {self._kind}: older than what a watch has brought")
        self._seen = version
        RELISTS.labels(kind=self._kind, reason=reason).inc()
        self._heard()
        before, self._objects, self._by_run = self._objects, {}, {}
        for o in objects:
            if self._is_ours(o.run_uid):
                self._put(o)
        for name, old in before.items():
            if name not in self._objects and not self._is_over(old.run_uid):
                self._forget(old)
        pairs = ((before.get(n), self._objects.get(n)) for n in before.keys() | self._objects.keys())
        changed = {o.run_uid for old, new in pairs if old != new for o in (old, new) if o is not None}
        for run_uid in changed:
            self._notify(run_uid)
        self.synced.set()

    async def _follow(self) -> str:
        """Apply changes, one watch after the other; return why everything has to be listed again.

        Raises ClusterError where a watch says so.
        """
        short = 0
        while short < SHORT_MAX:
            begun_s, seen = time.monotonic(), self._seen
            if not await self._watch_once():
                return "silence"
            self._heard()
            is_short = seen == self._seen and time.monotonic() - begun_s < SHORT_S
            short = short + 1 if is_short else 0
            if short:
                await asyncio.sleep(BACKOFF.wait_s(short))
        self._failures += 1
        return "end"

    async def _watch_once(self) -> bool:
        """Apply changes until the watch ends; return False if it fell silent instead."""
        begun_s = moved_s = time.monotonic()
        # What the watch calls return are async generators; closing them closes their connection.
        watch = cast("AsyncGenerator[tuple[str, T], None]", self._watch(self._seen))
        try:
            async with aclosing(watch) as events, asyncio.timeout(SILENCE_S) as silence:
                async for kind, changed in events:
                    now_s = self._heard()
                    # Moved now and then: to set a limit for each event costs as much as to read it.
                    if now_s - moved_s > SILENCE_STEP_S:
                        moved_s = now_s
                        silence.reschedule(asyncio.get_running_loop().time() + SILENCE_S)
                    self._seen = changed.resource_version or self._seen
                    if kind != BOOKMARK and self._is_ours(changed.run_uid):
                        self._apply(kind, changed)
        except TimeoutError:
            return False
        finally:
            if time.monotonic() - begun_s > SETTLED_S:
                self._failures = 0
        return True

    def _apply(self, kind: str, changed: T) -> None:
        if self._is_older(changed):
            return
        known = self._objects.get(changed.name)
        if kind == "DELETED":
            self._drop(changed.name)
            self._forget(changed)
        else:
            self._put(changed)
            if known is not None and not self._is_version_read and known == changed:
                return
            if not self._is_news(known, changed):
                self._notify_later(changed.run_uid)
                return
        self._notify(changed.run_uid)

    def _is_older(self, changed: T) -> bool:
        known = self._objects.get(changed.name)
        return known is not None and _version(known) > _version(changed)

    def _put(self, changed: T) -> None:
        if changed.run_uid not in self._by_run and self._is_over(changed.run_uid):
            return
        self._drop(changed.name)
        self._objects[changed.name] = changed
        self._by_run.setdefault(changed.run_uid, {})[changed.name] = changed

    def _drop(self, name: str) -> None:
        known = self._objects.pop(name, None)
        if known is None:
            return
        of_run = self._by_run[known.run_uid]
        del of_run[name]
        if not of_run:
            del self._by_run[known.run_uid]

    def _heard(self) -> float:
        self.last_seen_s = time.monotonic()
        return self.last_seen_s


class Observer:
    """The Jobs and pods of all runs, and the results of pods that are gone."""

    def __init__(
        self,
        cluster: Cluster,
        notify: Notify,
        notify_later: Notify | None = None,
        is_over: Callable[[str], bool] = lambda _: False,
        is_ours: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """`notify_later` gets the UIDs of runs whose next pass may wait; None: as `notify`.

        `is_over`: nothing is left to do for that run. `is_ours`: the run is this shard's.
        """
        self._starts = StartTimes()
        self.jobs: Informer[JobFacts] = Informer(
            "jobs",
            cluster.list_jobs,
            cluster.watch_jobs,
            notify,
            notify_later=notify_later,
            is_news=is_job_news,
            is_over=is_over,
            is_ours=is_ours,
        )
        self.pods: Informer[PodFacts] = Informer(
            "pods",
            cluster.list_pods,
            cluster.watch_pods,
            notify,
            self._remember,
            notify_later=notify_later,
            is_news=self._is_pod_news,
            is_over=is_over,
            is_ours=is_ours,
        )
        # Only that one is gone matters, as when somebody deletes it: the run makes it again.
        self.documents: Informer[ObjectFacts] = Informer(
            "configmaps",
            cluster.list_documents,
            cluster.watch_documents,
            lambda _: None,
            lambda gone: notify(gone.run_uid),
            is_over=is_over,
            is_ours=is_ours,
        )
        self._cluster = cluster
        self._gone: OrderedDict[str, PodFacts] = OrderedDict()

    async def run(self) -> None:
        """Keep the caches current until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.documents.run())
            group.create_task(self.jobs.run())
            group.create_task(self.pods.run())
            while True:
                await asyncio.sleep(SWEEP_S)
                for kept in (self.jobs, self.pods, self.documents):
                    kept.sweep()

    async def synced(self) -> None:
        """Return once Jobs and pods are known; the rest is not needed to begin."""
        await self.jobs.synced.wait()
        await self.pods.synced.wait()

    def cached(self, run_uid: str) -> tuple[dict[str, JobFacts], tuple[PodFacts, ...]]:
        """Return the run's Jobs and pods from the cache."""
        return self._joined(run_uid, self.jobs.of_run(run_uid), self.pods.of_run(run_uid))

    def usual_starts(self) -> UsualStarts:
        """Return how long starts take at present."""
        return self._starts.usual

    def _is_pod_news(self, before: PodFacts | None, after: PodFacts) -> bool:
        self._starts.saw(self.jobs.get(after.job_name), before, after)
        return is_pod_news(before, after)

    def note_job(self, made: JobFacts) -> None:
        """Take in a Job that was just made."""
        self.jobs.note(made)

    def forget(self, run_uid: str) -> None:
        """Drop what is remembered of a run for which nothing is left to do."""
        for name in [p.name for p in self._gone.values() if p.run_uid == run_uid]:
            del self._gone[name]

    def has_document(self, run_uid: str) -> bool:
        """Return whether the run's ConfigMap is there, as far as is known."""
        return not self.documents.synced.is_set() or self.documents.has(run_uid)

    async def fresh(self, run_uid: str) -> tuple[dict[str, JobFacts], tuple[PodFacts, ...]]:
        """Return the run's Jobs and pods as the API has them now; raises ClusterError."""
        # Jobs first: a pod of a Job that is seen is then seen too.
        jobs = await _listed(self.jobs, self._cluster.list_jobs, run_uid)
        pods = await _listed(self.pods, self._cluster.list_pods, run_uid)
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


async def _listed(
    informer: Informer[T], list_objects: Callable[[str], Awaitable[tuple[list[T], str]]], run_uid: str
) -> list[T]:
    """Return the run's objects; raises ClusterError, also for a list from before what was seen already."""
    seen = informer.seen
    objects, version = await list_objects(run_uid)
    if version_number(version) < seen:
        raise ClusterUnavailable("a list is older than what a watch has brought")
    informer.merge(run_uid, objects, version)
    return objects


def _version(known: Identified) -> int:
    return version_number(known.resource_version)
