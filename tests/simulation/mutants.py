"""Faults of our own making, each of which the simulation has to find: it guards nothing it cannot see."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Final
from unittest.mock import patch

import gather_operator.decisions.decide
import gather_operator.decisions.manifests
import gather_operator.decisions.run_events
import gather_operator.decisions.stop
import gather_operator.reconcile
import gather_worker.steps.pipeline
import gather_worker.steps.publishing
from gather_contracts.result import StopReason
from gather_operator.decisions.actions import CreateJob, ReleaseFinalizer
from gather_operator.kube.informer import Informer
from gather_operator.live_numbers import LiveNumbers
from gather_operator.reconcile import Reconciler
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.errors import BrainUnusable, DeadlineNear
from gather_worker.llm.ledger import Ledger
from gather_worker.services.checkpoint_store import CheckpointStore, fields_of
from gather_worker.services.department_events import EventPublisher
from gather_worker.services.store import Store, document_of, without_id
from gather_worker.steps.checkpointer import Checkpointer
from tests.support.simulation.simulation import simulate
from tests.support.simulation.virtual_time import virtual_time


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault, put in while its context lasts."""

    name: str
    put_in: Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Caught:
    """The first seed that found a mutant."""

    seed: int
    violation: str


def catch(mutant: Mutant, seeds: Iterable[int]) -> Caught | None:
    """Play seeds until one breaks a promise that it does not break without the mutant."""
    for seed in seeds:
        with virtual_time(), mutant.put_in():
            violations = simulate(seed).violations
        if violations:
            with virtual_time():
                sound = simulate(seed).violations
            if new := [each for each in violations if each not in sound]:
                return Caught(seed, new[0])
    return None


# --- the worker


def _unfenced() -> AbstractContextManager[Any]:
    """Checkpoints are written whatever the epoch."""

    async def write(self: CheckpointStore, checkpoint: Checkpoint, *, is_followed: bool = False) -> None:
        identity, fields = fields_of(checkpoint)
        mine = {"_id": identity["_id"]}
        await self.persist_checkpoint(lambda: self.checkpoints.update_one(mine, {"$set": fields}))

    return patch.object(CheckpointStore, "write", write)


def _unrevised() -> AbstractContextManager[Any]:
    """A write that was held up counts although a later one has arrived."""

    async def write(self: CheckpointStore, checkpoint: Checkpoint, *, is_followed: bool = False) -> None:
        identity, fields = fields_of(checkpoint)
        await self.persist_checkpoint(lambda: self.checkpoints.update_one(identity, {"$set": fields}))

    return patch.object(CheckpointStore, "write", write)


async def _insert(store: Store, documents: list[dict[str, Any]]) -> None:
    from pymongo import UpdateOne  # noqa: PLC0415

    writes = [
        UpdateOne({"_id": each["_id"]}, {"$setOnInsert": without_id(each)}, upsert=True) for each in documents
    ]
    await store.persist(lambda: store.items.bulk_write(writes, ordered=True))


def _checkpoint_first() -> AbstractContextManager[Any]:
    """Notes are struck off before they are written."""

    async def publish(self: Store, changed: Checkpoint, items: list[Any]) -> None:
        await self.write(changed)
        await _insert(self, [document_of(item) for item in items])

    return patch.object(Store, "publish", publish)


def _unread_checkpoint() -> AbstractContextManager[Any]:
    """A worker begins at the beginning, whatever its predecessor has left."""
    before = Checkpointer.take_epoch

    async def take_epoch(self: Checkpointer) -> None:
        fresh = self.checkpoint
        await before(self)
        taken = self.checkpoint
        self.checkpoint = fresh.model_copy(update={"epoch": taken.epoch, "revision": taken.revision})

    return patch.object(Checkpointer, "take_epoch", take_epoch)


def _forgetful_index() -> AbstractContextManager[Any]:
    """What the brain did not take is not kept for later."""

    async def try_index(self: Any) -> None:
        ids = set(self._checkpointer.checkpoint.unindexed)
        try:
            await self.index()
        except BrainUnusable:
            await self._checkpointer.save(lambda checkpoint: checkpoint.indexed(ids))

    return patch.object(gather_worker.steps.publishing.Publisher, "try_index", try_index)


def _event_keys_by_chance() -> AbstractContextManager[Any]:
    """The worker's events have no keys that a successor would use again."""
    before = EventPublisher._send
    count = iter(range(10**6))

    async def send(self: EventPublisher, event: Any, what: str) -> None:
        await before(self, event, f"{what}/{next(count)}")

    return patch.object(EventPublisher, "_send", send)


def _free_requests() -> AbstractContextManager[Any]:
    """Nothing is set aside before a request."""
    return patch.object(Ledger, "with_reserve", lambda self, _: self)


def _budget_of_one() -> AbstractContextManager[Any]:
    """Each department has the whole budget for itself."""

    async def other_ledgers(_: Checkpointer) -> list[Ledger]:
        return []

    return patch.object(Checkpointer, "other_ledgers", other_ledgers)


def _paid_twice() -> AbstractContextManager[Any]:
    """A charge is counted again by a successor that finds the answer."""

    def with_charge(self: Ledger, reserve_id: str, usage: Any) -> Ledger:
        changed = before(self, reserve_id, usage)
        return changed.model_copy(update={"cost_usd": changed.cost_usd + (usage.cost_usd or 0.0)})

    before = Ledger.with_charge
    return patch.object(Ledger, "with_charge", with_charge)


def _ends_early() -> AbstractContextManager[Any]:
    """A department that was told to stop says that it is done."""

    async def run(self: Any) -> StopReason:
        try:
            return await before(self)
        except DeadlineNear:
            return StopReason.ITERATIONS_USED

    before = gather_worker.steps.pipeline.Pipeline.run
    return patch.object(gather_worker.steps.pipeline.Pipeline, "run", run)


# --- the operator


def _names_by_chance() -> AbstractContextManager[Any]:
    """A Job's name does not follow from its department."""
    count = iter(range(10**6))
    before = gather_operator.decisions.manifests.build_job

    def build_job(*arguments: Any) -> dict[str, Any]:
        job = before(*arguments)
        name = f"{job['metadata']['name'][:-4]}{next(count) % 3 + 1}"
        return {**job, "metadata": {**job["metadata"], "name": name}}

    return patch.object(gather_operator.reconcile, "build_job", build_job)


def _status_first() -> AbstractContextManager[Any]:
    """The status says that a Job is there before it is made, and a failure on the way is swallowed."""

    async def follow(self: Reconciler, snapshot: Any, decision: Any) -> Any:
        latest = self._deps.cache.get(snapshot.run.metadata.uid)
        if latest is not None and any(isinstance(action, CreateJob) for action in decision.actions):
            await self._deps.writer.write(latest, decision.status)
            if latest.status.departments and not any(d.job_name for d in latest.status.departments):
                decision = replace(decision, actions=())
        return await before(self, snapshot, decision)

    before = Reconciler._follow
    return patch.object(Reconciler, "_follow", follow)


def _no_relist() -> AbstractContextManager[Any]:
    """A watch that broke goes on from now instead of from the last version."""
    before = Informer._watch_once

    async def watch_once(self: Any) -> bool:
        result = await before(self)
        self._seen = str(10**9)
        return result

    return patch.object(Informer, "_watch_once", watch_once)


def _finalizer_dropped_early() -> AbstractContextManager[Any]:
    """A deleted run is let go while its pods still end."""
    before = gather_operator.decisions.stop.decide_stop

    def decide_stop(snapshot: Any) -> Any:
        decision = before(snapshot)
        if snapshot.run.is_being_deleted:
            return replace(decision, actions=(ReleaseFinalizer(),))
        return decision

    return patch.object(gather_operator.decisions.decide, "decide_stop", decide_stop)


def _finalizer_kept() -> AbstractContextManager[Any]:
    """Nobody takes the finalizer off."""

    async def carry_out(self: Reconciler, snapshot: Any, action: Any) -> None:
        if not isinstance(action, ReleaseFinalizer):
            await before(self, snapshot, action)

    before = Reconciler._carry_out
    return patch.object(Reconciler, "_carry_out", carry_out)


def _wrong_event_keys() -> AbstractContextManager[Any]:
    """The operator's events have keys of the moment."""
    from gather_operator import event_publisher  # noqa: PLC0415

    before = gather_operator.decisions.run_events.due

    def due(run: Any, now: Any, document: Any = None) -> list[Any]:
        return [replace(each, key=f"{each.key}:{now.timestamp():.0f}") for each in before(run, now, document)]

    return patch.object(event_publisher, "due", due)


def _swallowed_end() -> AbstractContextManager[Any]:
    """Of a run that has ended no event is sent."""
    return patch.object(gather_operator.decisions.run_events, "_end", lambda *_: iter(()))


def _deaf_listener() -> AbstractContextManager[Any]:
    """Any number is believed, ten times over."""

    def take(self: LiveNumbers, event: Any) -> bool:
        if event.type == "iteration_complete":
            event = event.model_copy(update={"items_created": event.items_created * 10})
        return before(self, event)

    before = LiveNumbers.take
    return patch.object(LiveNumbers, "take", take)


MUTANTS: Final = (
    Mutant("worker: checkpoints are not fenced", _unfenced),
    Mutant("worker: revisions do not count", _unrevised),
    Mutant("worker: checkpoint before the notes, not in one", _checkpoint_first),
    Mutant("worker: the checkpoint is not read", _unread_checkpoint),
    Mutant("worker: what the brain refused is forgotten", _forgetful_index),
    Mutant("worker: events' keys by chance", _event_keys_by_chance),
    Mutant("worker: nothing is reserved before a request", _free_requests),
    Mutant("worker: other departments' ledgers do not count", _budget_of_one),
    Mutant("worker: charges are counted twice", _paid_twice),
    Mutant("worker: a result at the deadline says that it is done", _ends_early),
    Mutant("operator: Jobs' names by chance", _names_by_chance),
    Mutant("operator: the status before the Job", _status_first),
    Mutant("operator: watches go on from a wrong version", _no_relist),
    Mutant("operator: the finalizer goes before the pods", _finalizer_dropped_early),
    Mutant("operator: the finalizer stays", _finalizer_kept),
    Mutant("operator: events' keys by the clock", _wrong_event_keys),
    Mutant("operator: no event of the end", _swallowed_end),
    Mutant("operator: live numbers are not checked", _deaf_listener),
)
