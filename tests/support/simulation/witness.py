"""Watches a simulation while it goes on: what must hold at every moment, as docs/guarantees.md promises.

`final_checks` has what must hold at the end.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, Final

from gather_contracts import names
from gather_contracts.text import content_hash
from tests.support.simulation.cluster.kube_in_memory import PODS, RUNS, ApiServer, Object
from tests.support.simulation.cluster.kubelets import Kubelets, WorkerProcess
from tests.support.simulation.mongodb.mongo_in_memory import MongoInMemory
from tests.support.simulation.processes import Process
from tests.support.simulation.redis_in_memory import Sent
from tests.support.simulation.thinking_services import Charge

RANKS: Final = {"": 0, "Pending": 0, "Running": 1, "Suspended": 1, "Cancelling": 2}
FINAL_RANK: Final = 3
PAID_AFTER_FENCING_MAX: Final = 2
"""The answer in flight, and the next notes that were requested early."""
EPSILON: Final = 1e-5
COUNTED: Final = ("iterations", "itemsCreated")


class Witness:
    """Collects violations; `say` gets each of them once."""

    def __init__(
        self, server: ApiServer, mongo: MongoInMemory, kubelets: Kubelets, say: Callable[[str], None]
    ) -> None:
        self._server, self._mongo, self._kubelets, self._say = server, mongo, kubelets, say
        self.budgets: dict[str, float] = {}
        """By run: what it may spend."""
        self.parallelism = 1
        self.written: Counter[str] = Counter()
        """Notes that were written, by checkpoint."""
        self.deleted: set[Any] = set()
        """Notes that a person has deleted."""
        self.spent: Counter[str] = Counter()
        self.most_usd: defaultdict[str, float] = defaultdict(float)
        """The highest total of each ledger."""
        self._contents: dict[str, Any] = {}
        self._paid_late: Counter[str] = Counter()
        self._events: set[tuple[Any, ...]] = set()
        self._iterations: dict[tuple[Any, ...], int] = {}
        self._ended: set[tuple[str, int]] = set()

    # --- MongoDB

    def see_write(
        self, process: Process | None, collection: str, before: Object | None, after: Object | None
    ) -> None:
        """A change of a document is visible."""
        if collection == names.CHECKPOINTS_COLLECTION and after is not None:
            self._see_checkpoint(process, before, after)
        elif collection == names.ITEMS_COLLECTION:
            if after is None and before is not None:
                self.deleted.add(before["_id"])
            elif before is None and after is not None:
                self._see_note(process, after)

    def _see_checkpoint(self, process: Process | None, before: Object | None, after: Object) -> None:
        key = after["_id"]
        was = before["epoch"] if before is not None else 0
        ledger = after.get("ledger") or {}
        reserved = sum(each["costUsd"] for each in ledger.get("reserved", ()))
        self.most_usd[key] = max(self.most_usd[key], ledger.get("costUsd", 0) + reserved)
        if (worker := _owner(process, key)) is not None:
            if after["epoch"] > was:
                worker.epoch = after["epoch"]
            elif worker.epoch != was:
                self._say("a fenced worker writes a checkpoint")
        if before is not None:
            self._see_progress(before, after)

    def _see_progress(self, before: Object, after: Object) -> None:
        if after["revision"] < before["revision"] or after["epoch"] < before["epoch"]:
            self._say("a later write of a checkpoint is undone")
        for name in COUNTED:
            if after.get(name, 0) < before.get(name, 0):
                self._say(f"a checkpoint's {name} goes back")
        if before.get("finished") and after.get("finished") != before["finished"]:
            self._say("a finished department is taken up again")

    def _see_note(self, process: Process | None, note: Object) -> None:
        origin = note["automationMetadata"]
        key = names.checkpoint_id(origin["runUid"], origin["department"])
        if note["_id"] not in self.deleted:  # on a single server the note in hand may come back
            self.written[key] += 1
        epoch = self._mongo.collections[names.CHECKPOINTS_COLLECTION][key]["epoch"]
        worker = _owner(process, key)
        if worker is not None and worker.epoch != epoch:
            self._say("a fenced worker writes a note")
        if note["_id"] in self.deleted and self._mongo.has_transactions:
            self._say("a note that a person deleted is written again")
        said = content_hash(note["content"].lower())
        other = self._contents.get(said, note["_id"])
        if other != note["_id"] and other in self._mongo.collections[names.ITEMS_COLLECTION]:
            self._say("a note is there twice")
        self._contents[said] = note["_id"]

    # --- Kubernetes

    def see_object(self, kind: str, change: str, before: Object | None, after: Object | None) -> None:
        """An object of the API server has changed."""
        if kind == RUNS and change == "MODIFIED" and before is not None and after is not None:
            old, new = before.get("status") or {}, after.get("status") or {}
            if old != new:
                self._see_status(after["metadata"]["uid"], old, new)
        elif kind == RUNS and change == "DELETED" and before is not None:
            self._see_removal(before["metadata"]["uid"])

    def _see_removal(self, uid: str) -> None:
        """A run may go once its pods have ended, or have begun to, which on a dead node takes forever."""
        for pod in self._server.objects[PODS].values():
            metadata, is_over = pod["metadata"], pod["status"]["phase"] in {"Succeeded", "Failed"}
            is_own = metadata["labels"].get(names.LABEL_RUN_UID) == uid
            if is_own and not is_over and not metadata.get("deletionTimestamp"):
                self._say("a deleted run is let go while a pod of it works")

    def _see_status(self, uid: str, old: Object, new: Object) -> None:
        ranks = [RANKS.get(each.get("phase", ""), FINAL_RANK) for each in (old, new)]
        if ranks[1] < ranks[0] or (ranks[0] == FINAL_RANK and old["phase"] != new["phase"]):
            self._say(f"the phase goes from {old.get('phase')} to {new.get('phase')}")
        for name in COUNTED:
            if new.get(name, 0) < old.get(name, 0):
                self._say(f"the status's {name} goes back")
        if _ended(new) < _ended(old):
            self._say("the progress goes back")
        known = {d["slug"]: d for d in old.get("departments", ())}
        for department in new.get("departments", ()):
            self._see_department(uid, known.get(department["slug"], {}), department)

    def _see_department(self, uid: str, old: Object, new: Object) -> None:
        key = names.checkpoint_id(uid, new["slug"])
        checkpoint = self._mongo.collections.get(names.CHECKPOINTS_COLLECTION, {}).get(key, {})
        for name in COUNTED:
            if new.get(name, 0) < old.get(name, 0):
                self._say(f"a department's {name} goes back")
            if new.get(name, 0) > checkpoint.get(name, 0):
                self._say(f"the status says more {name} than there are")
        if new.get("costUSD", 0) > self.most_usd[key] + EPSILON:
            self._say("the status says a higher cost than any ledger")
        is_final = new["phase"] in {"Succeeded", "Failed", "Cancelled"}
        if new.get("costUSD", 0) < old.get("costUSD", 0) and not is_final:
            self._say("a department's cost goes back before its end")
        if old.get("phase") in {"Succeeded", "Failed", "Skipped"} and old["phase"] != new["phase"]:
            self._say(f"an ended department goes from {old['phase']} to {new['phase']}")

    def see_start(self, worker: WorkerProcess) -> None:
        """A worker begins."""
        others = [
            each
            for node in self._kubelets.nodes
            for each in node.workers.values()
            if each is not worker
            and each.run_uid == worker.run_uid
            and node.is_alive
            and not (each.is_dead or each.locals.get("was_cut_off"))
        ]
        if any(each.slug == worker.slug for each in others):
            self._say("two workers of one department at once")
        if len({each.slug for each in others} | {worker.slug}) > self.parallelism:
            self._say("two departments of one run at once")

    # --- Redis

    def see_event(self, sent: Sent) -> None:
        """An event is in the log."""
        event = sent.event
        uid, slug = event.run_uid, getattr(event, "department", "")
        number = getattr(event, "iteration", getattr(event, "attempt", None))
        if event.type != "deduplicating":
            known = (sent.epoch, event.type, uid, slug, number)
            if known in self._events:
                self._say(f"the event {event.type} is there twice")
            self._events.add(known)
        if event.type == "iteration_complete" and isinstance(number, int):
            place = (sent.epoch, uid, slug)
            if number < self._iterations.get(place, 0):
                self._say("events of iterations out of order")
            self._iterations[place] = number
        ends = {"automation_complete", "automation_failed", "automation_cancelled"}
        if event.type == "automation_started" and (uid, sent.epoch) in self._ended:
            self._say("a run is said to start after its end")
        if event.type in ends:
            if (uid, sent.epoch) in self._ended:
                self._say("a run is said to end twice")
            self._ended.add((uid, sent.epoch))

    # --- money

    def see_charge(self, worker: WorkerProcess, charge: Charge) -> None:
        """The model was paid."""
        self.spent[charge.run_uid] += charge.usd  # type: ignore[assignment] # a Counter of floats
        limit = self.budgets.get(charge.run_uid)
        if limit is not None and self.spent[charge.run_uid] > limit + EPSILON:
            self._say("the budget is exceeded")
        key = names.checkpoint_id(charge.run_uid, charge.slug)
        checkpoint = self._mongo.collections.get(names.CHECKPOINTS_COLLECTION, {}).get(key, {})
        if worker.epoch != checkpoint.get("epoch"):
            self._paid_late[worker.name] += 1
            if self._paid_late[worker.name] > PAID_AFTER_FENCING_MAX:
                self._say("a fenced worker goes on paying")


def _owner(process: Process | None, key: str) -> WorkerProcess | None:
    """Return the process as a worker of that checkpoint's department, None if it is another's."""
    if isinstance(process, WorkerProcess) and key == f"{process.run_uid}/{process.slug}":
        return process
    return None


def _ended(status: Object) -> int:
    return int((status.get("progress") or "0").split("/")[0])
