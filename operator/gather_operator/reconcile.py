"""One pass over one run: gather what is known, decide, do it, write the status."""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from gather_clients.kube_api.cluster_errors import ClusterUnavailable, Conflict, Missing, Refused
from gather_contracts import names
from gather_contracts.departments import DEFAULT_MODEL
from gather_contracts.reasons import Reason
from gather_contracts.resource import GatherRun, GatherRunStatus
from gather_contracts.run_document import RunDocument
from gather_operator.action_pacer import ActionPacer
from gather_operator.brain.brain_probe import BrainProbe
from gather_operator.cms.shared_readings import SharedReadings
from gather_operator.decisions.actions import (
    Action,
    CreateJob,
    Decision,
    DeleteJob,
    DeletePod,
    HoldFinalizer,
    ReleaseFinalizer,
    ResumeJob,
    SuspendJob,
    WriteDocument,
)
from gather_operator.decisions.assessment import needs_fresh_facts
from gather_operator.decisions.decide import decide, needs_cms
from gather_operator.decisions.facts import CmsFailure, CmsReading, CmsSilence, RunSnapshot, UsualStarts
from gather_operator.decisions.manifests import WorkerTemplate, build_job
from gather_operator.decisions.overrides import overridden
from gather_operator.decisions.status.kube_events import WARNING, KubeEvent
from gather_operator.decisions.status.run_status import is_status_refused, refused
from gather_operator.decisions.waiting import stuck_jobs, unexplained
from gather_operator.errors import StatusRefused
from gather_operator.event_publisher import EventPublisher, calls_for
from gather_operator.kube.cluster import Cluster
from gather_operator.kube.event_readings import EventReadings
from gather_operator.kube.informer import Observer
from gather_operator.kube.run_documents import RunDocuments
from gather_operator.kube.status_writer import CRD_HINT, StatusWriter
from gather_operator.live_numbers import LiveNumbers
from gather_operator.metrics import ACTIONS, DECISION_SECONDS, DECISIONS
from gather_operator.pod_patience import PodPatience, StartPatience
from gather_operator.run_cache import RunCache
from gather_operator.work_queue import Next
from gather_operator.worker_metrics import count_ends

logger = logging.getLogger(__name__)

REFUSED_RETRY_S: Final = 5.0
STATUS_RETRY_S: Final = 30.0
"""A status is refused by the CRD or by a right that is missing; a person has to change that."""
PREPARATIONS: Final = (HoldFinalizer, WriteDocument)
LOOK_AGAIN_S: Final = 0.01
"""After a move: what follows from it is decided by another pass."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Everything that a pass talks to."""

    cluster: Cluster
    cms: SharedReadings
    observer: Observer
    cache: RunCache
    live: LiveNumbers
    writer: StatusWriter
    publisher: EventPublisher
    events: EventReadings | None = None
    """None: what a run waits for is taken from its Jobs and pods alone."""
    start_patience: StartPatience = field(default_factory=lambda: StartPatience(0))
    brain: BrainProbe | None = None
    usual_starts: Callable[[], UsualStarts] = UsualStarts
    documents: RunDocuments | None = None


class Reconciler:
    """Carries runs forward. What it remembers is only to save calls; the API has it all."""

    def __init__(
        self,
        dependencies: Dependencies,
        template: WorkerTemplate,
        default_model: str = DEFAULT_MODEL,
        stop_deadline_s: float = 300,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._deps = dependencies
        self._template = template
        self._default_model = default_model
        self._stop_deadline_s = stop_deadline_s
        self._clock = clock
        self._stopping_since_s: dict[str, float] = {}
        of_this_term = RunDocuments(dependencies.cluster, dependencies.observer, clock)
        self._documents = dependencies.documents or of_this_term
        self._pacer = ActionPacer(clock)
        self._patience = PodPatience(clock)
        self._unwritable: set[str] = set()
        self._memories = (
            self._documents, self._pacer, self._patience, dependencies.start_patience, dependencies.cms,
            dependencies.live, dependencies.observer, dependencies.publisher, dependencies.writer,
            *((dependencies.events,) if dependencies.events is not None else ()),
        )  # fmt: skip

    async def work(self, uid: str) -> Next:
        """Make one pass; return when the next is wanted.

        Raises OperatorError where the pass has to be tried again later.
        """
        await self._catch_up(uid)
        run = self._deps.cache.get(uid)
        if run is None:
            await self._delete_expired(uid)
            for memory in self._memories:
                memory.forget(uid)
            self._unwritable.discard(uid)
            self._stopping_since_s.pop(uid, None)
            return Next()
        with DECISION_SECONDS.time():
            try:
                following = await self._pass(run)
                # A version that was seen while the run was written, and was not what was written.
                is_behind = self._deps.cache.stale(uid) is not None and not following.is_held
                return Next(LOOK_AGAIN_S) if is_behind else following
            except Conflict:
                DECISIONS.labels(outcome="conflict").inc()
                await self._check_existence(run)
                return Next(LOOK_AGAIN_S)
            except Missing:
                await self._check_existence(run)
                raise

    async def _pass(self, run: GatherRun) -> Next:
        document = await self._documents.read(run)
        is_stopping = run.is_to_stop and not run.status.phase.is_final
        wait_s = None if is_stopping else await self._deps.publisher.publish(run, document=document)
        snapshot = await self._gather(run, document)
        try:
            following = await self._follow(snapshot, decide(snapshot))
        except StatusRefused as error:
            following = await self._after_refusal(snapshot, error)
        written = self._deps.cache.get(run.metadata.uid) or run
        if is_stopping or calls_for(written) != calls_for(run):
            # Of a run that is to stop only now: pods that cost money wait for no event log.
            wait_s = await self._deps.publisher.publish(written, document=document)
        if following.is_held or wait_s is None:
            return following
        return Next(wait_s if following.after_s is None else min(wait_s, following.after_s))

    async def _follow(self, snapshot: RunSnapshot, decision: Decision) -> Next:
        """Carry the decision out and write its status; return when to look again."""
        run = snapshot.run
        if (wait_s := await self._wait_for_status(run, decision)) is not None:
            return Next(wait_s)
        try:
            held_s = await self._act(snapshot, decision.actions)
        except (ClusterUnavailable, Refused) as error:
            return await self._fall_back(snapshot, decision.observed, error)
        if held_s:
            # The status would say that it is done.
            return Next(held_s, is_held=True)
        latest = self._deps.cache.get(run.metadata.uid)
        if latest is None or (
            decision.actions and all(isinstance(a, PREPARATIONS) for a in decision.actions)
        ):
            # Of a run that was just prepared, the next pass has more to say.
            return Next(0)
        if latest.status != run.status:
            # A write whose answer was lost: what was decided belongs on the status before it.
            return Next(LOOK_AGAIN_S)
        throttled_s = await self._deps.writer.write(latest, decision.status)
        if throttled_s is None:
            count_ends(latest, decision.status, snapshot.pods)
        # A Job that was made is followed by what its pods do, and the run's end by the finalizer's.
        is_moving = any(not isinstance(a, CreateJob) for a in decision.actions) or (
            throttled_s is None and decision.status.phase.is_final and not run.status.phase.is_final
        )
        DECISIONS.labels(outcome="moving" if is_moving else "waiting").inc()
        return Next(LOOK_AGAIN_S if is_moving else throttled_s)

    # --- gather

    async def _gather(self, run: GatherRun, document: RunDocument | None) -> RunSnapshot:
        uid = run.metadata.uid
        snapshot = RunSnapshot(
            run=run,
            now=datetime.now(UTC),
            document=document,
            cms=self._ask_cms(run, document),
            live=self._deps.live.of_run(uid),
            brain=self._deps.brain.facts if self._deps.brain is not None else None,
            has_published_all=self._deps.publisher.has_published_all(run),
            stopping_s=self._stopping_s(run),
            stop_deadline_s=self._stop_deadline_s,
            default_model=self._default_model,
            has_outbox=self._deps.publisher.has_outbox,
        )
        if run.status.phase.is_final:
            return snapshot
        jobs, pods = self._deps.observer.cached(uid)
        snapshot = replace(snapshot, jobs=jobs, pods=pods, usual=self._deps.usual_starts())
        if needs_fresh_facts(snapshot):
            jobs, pods = await self._deps.observer.fresh(uid)
            snapshot = replace(snapshot, jobs=jobs, pods=pods)
        snapshot = replace(snapshot, pods=self._patience.judge(uid, pods))
        if (events := self._deps.events) is not None and (known := events.ask(uid, unexplained(snapshot))):
            snapshot = replace(snapshot, events=known)
        if overdue := self._deps.start_patience.judge(uid, stuck_jobs(snapshot)):
            snapshot = replace(snapshot, overdue=overdue)
        return snapshot

    def _ask_cms(
        self, run: GatherRun, document: RunDocument | None
    ) -> CmsReading | CmsFailure | CmsSilence | None:
        """Return what there is of the CMS's answer, if the run needs one; no pass waits for it."""
        uid = run.metadata.uid
        if needs_cms(run, has_document=document is not None):
            return self._deps.cms.ask(uid)
        self._deps.cms.forget(uid)
        return None

    def _stopping_s(self, run: GatherRun) -> float:
        """Return for how long this process has tried to stop the run; time without it has stopped nothing."""
        if not run.is_to_stop:
            return 0.0
        now_s = self._clock()
        return now_s - self._stopping_since_s.setdefault(run.metadata.uid, now_s)

    # --- act

    async def _act(self, snapshot: RunSnapshot, actions: Sequence[Action]) -> float:
        """Carry the actions out; return for how long those have to wait that somebody else keeps undoing."""
        run, held_s = snapshot.run, 0.0
        for action in actions:
            if wait_s := self._pacer.wait_s(run.metadata.uid, action):
                held_s = max(held_s, wait_s)
                continue
            name = type(action).__name__
            ACTIONS.labels(action=name).inc()
            logger.info("carrying out an action", extra={"run": run.metadata.name, "action": name})
            await self._carry_out(snapshot, action)
            self._pacer.note(run.metadata.uid, action)
        return held_s

    async def _carry_out(self, snapshot: RunSnapshot, action: Action) -> None:
        run, cluster = snapshot.run, self._deps.cluster
        match action:
            case HoldFinalizer():
                await self._put_finalizers(run, [*run.metadata.finalizers, names.FINALIZER])
            case ReleaseFinalizer():
                await self._put_finalizers(run, [f for f in run.metadata.finalizers if f != names.FINALIZER])
            case WriteDocument(document):
                await self._documents.write(run, document)
            case CreateJob(index, generation, iterations):
                if snapshot.document is None:
                    return
                department = snapshot.document.departments[index]
                template = overridden(self._template, run)
                job = build_job(run, department, index, generation, iterations, template)
                if (made := await cluster.create_job(job)) is not None:
                    # Seen at once, so that no pass makes it again before a watch shows it.
                    self._deps.observer.note_job(made)
            case SuspendJob() | ResumeJob() | DeleteJob() | DeletePod():
                await _change_work(cluster, action)

    async def _put_finalizers(self, run: GatherRun, finalizers: list[str]) -> None:
        metadata, cache = run.metadata, self._deps.cache
        with cache.writing(metadata.uid):
            body = await self._deps.cluster.put_finalizers(
                metadata.name,
                metadata.resource_version,
                finalizers,
                is_ended=run.status.phase.is_final and names.FINALIZER not in finalizers,
            )
            if run.is_being_deleted and not finalizers:
                cache.remove(metadata.uid)
            else:
                cache.put(body)

    # --- obstacles

    async def _fall_back(
        self, snapshot: RunSnapshot, observed: GatherRunStatus, error: ClusterUnavailable | Refused
    ) -> Next:
        """Write what holds although an action failed, and why nothing moves; return when to try again.

        Raises ClusterUnavailable, after that write.
        """
        run = snapshot.run
        latest = self._deps.cache.get(run.metadata.uid) or run
        if isinstance(error, ClusterUnavailable):
            if latest.status == run.status:
                await self._deps.writer.write(latest, observed)
            raise error
        logger.warning("Kubernetes refused an action", extra={"run": run.metadata.name, "error": str(error)})
        DECISIONS.labels(outcome="refused").inc()
        await self._deps.writer.write(latest, refused(snapshot, observed, str(error)))
        return Next(max(REFUSED_RETRY_S, error.retry_after_s or 0), is_held=True)

    async def _wait_for_status(self, run: GatherRun, decision: Decision) -> float | None:
        """Before anything is done for a run whose status was refused, write it.

        Return for how long that has to wait, None if it stands. Raises StatusRefused.
        """
        uid = run.metadata.uid
        if uid not in self._unwritable and not is_status_refused(run.status):
            return None
        wait_s = await self._deps.writer.write(run, decision.observed)
        if wait_s is None:
            self._unwritable.discard(uid)
        return wait_s

    async def _after_refusal(self, snapshot: RunSnapshot, error: StatusRefused) -> Next:
        """Try once more after the first refusal: a right can be missing for a moment. Then stop the work."""
        run = snapshot.run
        if run.metadata.uid in self._unwritable or is_status_refused(run.status):
            return await self._stop_spending(snapshot, error)
        logger.warning("the run's status is refused", extra={"run": run.metadata.name, "error": str(error)})
        DECISIONS.labels(outcome="refused").inc()
        self._unwritable.add(run.metadata.uid)
        return Next(REFUSED_RETRY_S, is_held=True)

    async def _stop_spending(self, snapshot: RunSnapshot, error: StatusRefused) -> Next:
        """Stop what works for a run of which nobody can see how it stands; say so where that is possible."""
        run = snapshot.run
        uid, why = run.metadata.uid, f"{error}; {CRD_HINT}"
        logger.error("the run's status is refused; its Jobs are stopped", extra={"run": run.metadata.name})
        DECISIONS.labels(outcome="refused").inc()
        self._unwritable.add(uid)
        jobs, _ = await self._deps.observer.fresh(uid)
        for job in jobs.values():
            if not (job.is_finished or job.is_terminating):
                await self._deps.cluster.delete_job(job.name)
        latest = self._deps.cache.get(uid) or run
        smallest = refused(snapshot, latest.status, why, Reason.STATUS_REFUSED)
        with contextlib.suppress(StatusRefused):
            await self._deps.writer.write(latest, smallest)
        await self._deps.writer.post(latest, KubeEvent(Reason.STATUS_REFUSED, why, WARNING))
        return Next(STATUS_RETRY_S, is_held=True)

    # --- memory

    async def _delete_expired(self, uid: str) -> None:
        """Delete an ended run whose time is over, unless somebody has changed it meanwhile."""
        ended = self._deps.cache.ended(uid)
        if ended is None or ended.delete_at is None or ended.delete_at > datetime.now(UTC):
            return
        logger.info("deleting a run whose time is over", extra={"run": ended.name})
        try:
            await self._deps.cluster.delete_run(ended.name, uid, str(ended.version))
        except Conflict:
            self._deps.cache.put(await self._deps.cluster.get_run(ended.name))
        except Missing:
            self._deps.cache.remove(uid)

    async def _catch_up(self, uid: str) -> None:
        """Read the run if a newer version of it was seen than is known: watches bring no whole runs."""
        cache = self._deps.cache
        if (name := cache.stale(uid)) is None:
            return
        try:
            body = await self._deps.cluster.get_run(name)
        except Missing:
            cache.remove(uid)
            return
        cache.put(body)
        cache.settle(uid)
        if body["metadata"]["uid"] != uid:  # another one of that name
            cache.remove(uid)

    async def _check_existence(self, run: GatherRun) -> None:
        """Forget the run if it is what was missing."""
        try:
            self._deps.cache.put(await self._deps.cluster.get_run(run.metadata.name))
        except Missing:
            self._deps.cache.remove(run.metadata.uid)


async def _change_work(cluster: Cluster, action: SuspendJob | ResumeJob | DeleteJob | DeletePod) -> None:
    """Carry out what ends work, holds it or lets it go on."""
    match action:
        case SuspendJob(name):
            await cluster.suspend_job(name)
        case ResumeJob(name):
            await cluster.resume_job(name)
        case DeleteJob(name):
            await cluster.delete_job(name)
        case DeletePod(name):
            await cluster.delete_pod(name)
