"""What must hold once a simulation has come to rest: the right phases, nothing lost, nothing left."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from gather_contracts import names
from gather_contracts.text import content_hash
from tests.support.simulation.cluster.job_controller import JobController
from tests.support.simulation.cluster.kube_in_memory import DOCUMENTS, JOBS, PODS, RUNS, ApiServer, Object
from tests.support.simulation.cluster.kubelets import Kubelets
from tests.support.simulation.mongodb.mongo_in_memory import MongoInMemory
from tests.support.simulation.redis_in_memory import RedisInMemory
from tests.support.simulation.thinking_services import SimulatedBrain, SimulatedModel
from tests.support.simulation.witness import EPSILON, Witness

FINAL: Final = frozenset({"Succeeded", "Failed", "Cancelled"})
GENERATIONS: Final = 3
RESERVES_MAX: Final = 16


@dataclass
class Asked:
    """A run that a person made."""

    name: str
    uid: str
    spec: Object
    is_cancelled: bool = False
    is_deleted: bool = False


@dataclass
class FinalChecks:
    """Looks at everything."""

    server: ApiServer
    jobs: JobController
    kubelets: Kubelets
    mongo: MongoInMemory
    redis: RedisInMemory
    brain: SimulatedBrain
    model: SimulatedModel
    witness: Witness
    say: Callable[[str], None]

    @property
    def items(self) -> dict[Any, Object]:
        """Return the notes."""
        return self.mongo.collections.get(names.ITEMS_COLLECTION, {})

    @property
    def checkpoints(self) -> dict[Any, Object]:
        """Return the checkpoints."""
        return self.mongo.collections.get(names.CHECKPOINTS_COLLECTION, {})

    def check(self, runs: list[Asked], *, is_calm: bool) -> None:
        """Check all."""
        for asked in runs:
            self._check_run(asked, is_calm=is_calm)
            self._check_leftovers(asked)
        for key, checkpoint in self.checkpoints.items():
            self._check_notes(key, checkpoint)
            self._check_money(key, checkpoint, is_calm=is_calm)
            self._check_evaluation(checkpoint)
        self._check_brain()

    # --- runs

    def _check_run(self, asked: Asked, *, is_calm: bool) -> None:
        body = self.server.get(RUNS, asked.name)
        if asked.is_deleted:
            if body is not None:
                self.say("a deleted run is still there")
            return
        if body is None:
            self.say("a run is gone that nobody deleted")
            return
        status = body["status"]
        if status.get("phase") not in FINAL:
            self.say(f"a run does not end: {status.get('phase')} {status.get('reason')}")
            return
        if names.FINALIZER in body["metadata"].get("finalizers", ()):
            self.say("an ended run keeps its finalizer")
        if is_calm and status["phase"] != "Succeeded":
            self.say("an undisturbed run does not succeed")
        departments = status.get("departments", [])
        self._check_phase(asked, status, [d["phase"] for d in departments])
        for before, department in enumerate(departments):
            self._check_department(asked, department, departments[:before])
        self._check_end_said(asked, status["phase"])

    def _check_phase(self, asked: Asked, status: Object, phases: list[str]) -> None:
        phase = status["phase"]
        right = "Failed" if "Failed" in phases or not phases else "Succeeded"
        if asked.is_cancelled and (not phases or "Cancelled" in phases):
            right = "Cancelled"
        # Cancelled before its first Job, a run may have nothing that could be said to be cancelled.
        if phase != right and not (asked.is_cancelled and phase == "Cancelled"):
            self.say(f"the phase is {phase}, but its departments are {phases}")
        if not asked.is_cancelled and phase == "Cancelled":
            self.say("a run is cancelled that nobody cancelled")

    def _check_department(self, asked: Asked, department: Object, earlier: list[Object]) -> None:
        key = names.checkpoint_id(asked.uid, department["slug"])
        checkpoint = self.checkpoints.get(key)
        phase = department["phase"]
        if phase == "Succeeded":
            self._check_success(department, checkpoint)
        elif phase == "Failed" and not self._may_fail(asked, department):
            self.say(f"a department has failed that no Job has given up: {department.get('reason')}")
        elif phase == "Skipped" and not _may_skip(asked, department, earlier):
            self.say(f"a department is skipped for no reason: {department.get('reason')}")
        elif phase in {"Pending", "Running"}:
            self.say(f"a department is {phase} in an ended run")

    def _check_success(self, department: Object, checkpoint: Object | None) -> None:
        if checkpoint is None or not checkpoint["finished"]:
            self.say("a department is done that no worker has finished")
            return
        for name in ("iterations", "itemsCreated"):
            if department.get(name, 0) != checkpoint[name]:
                self.say(f"the status's {name} of a finished department is not the checkpoint's")
        if abs(department.get("costUSD", 0) - _total_usd(checkpoint)) > EPSILON:
            self.say("the status's cost of a finished department is not the ledger's")

    def _may_fail(self, asked: Asked, department: Object) -> bool:
        own = [
            names.job_name(asked.name, asked.uid, department["slug"], generation)
            for generation in range(1, GENERATIONS + 1)
        ]
        return department.get("jobName") == own[-1] or any(name in self.jobs.failed for name in own)

    def _check_end_said(self, asked: Asked, phase: str) -> None:
        said = {
            "Succeeded": "automation_complete",
            "Failed": "automation_failed",
            "Cancelled": "automation_cancelled",
        }[phase]
        if not any(s.event.type == said and s.event.run_uid == asked.uid for s in self.redis.events):
            self.say(f"the event {said} is missing")

    def _check_leftovers(self, asked: Asked) -> None:
        # What stands on a node that never came back is out of everybody's reach.
        lost = {node.machine.name for node in self.kubelets.nodes if not node.is_alive}
        left = [w for w in self.kubelets.workers if w.run_uid == asked.uid and w.machine.name not in lost]
        if left:
            self.say("a worker works on after its run has ended")
        for kind in (JOBS, PODS, DOCUMENTS):
            for found in self._owned(kind, asked):
                if kind == PODS and found["spec"].get("nodeName") in lost:
                    continue
                if asked.is_deleted:
                    self.say(f"{kind} of a deleted run are left")
                elif kind == PODS and found["status"]["phase"] in {"Pending", "Running"}:
                    self.say("a pod of an ended run is left")

    def _owned(self, kind: str, asked: Asked) -> Iterator[Object]:
        for found in self.server.objects[kind].values():
            if (found["metadata"].get("labels") or {}).get(names.LABEL_RUN_UID) == asked.uid:
                yield found

    # --- notes

    def _check_notes(self, key: str, checkpoint: Object) -> None:
        written, said = self.witness.written[key], checkpoint["itemsCreated"]
        # On a single server a note may be written, and its worker die before it strikes it off.
        in_hand = 0 if self.mongo.has_transactions else min(1, len(checkpoint["pending"]))
        if not said <= written <= said + in_hand:
            self.say(f"the checkpoint says {said} notes, and {written} were written")
        own = [i for i in self.items.values() if _place(i) == key]
        if any(i["automationMetadata"]["iteration"] > checkpoint["iterations"] for i in own):
            self.say("a note belongs to an iteration that the checkpoint does not have")
        if checkpoint["finished"] and checkpoint["pending"]:
            self.say("a finished department has notes that are not saved")

    def _check_money(self, key: str, checkpoint: Object, *, is_calm: bool) -> None:
        charged = sum(c.usd for c in self.model.charges if names.checkpoint_id(c.run_uid, c.slug) == key)
        ledger, total = checkpoint["ledger"], _total_usd(checkpoint)
        if charged > total + EPSILON:
            self.say(f"the ledger says {total:.4f} USD, and {charged:.4f} were charged")
        if len(ledger["reserved"]) < RESERVES_MAX and ledger["costUsd"] > charged + EPSILON:
            self.say(f"the ledger counts {ledger['costUsd']:.4f} USD, and {charged:.4f} were charged")
        if is_calm and abs(total - charged) > EPSILON:
            self.say("an undisturbed run's ledger is not what was charged")

    def _check_evaluation(self, checkpoint: Object) -> None:
        task_id = names.evaluation_task_id(checkpoint["runUid"], checkpoint["department"])
        messages = [epoch for known, epoch in self.redis.evaluations if known == task_id]
        if checkpoint["evaluation"] == "sent" and not messages:
            self.say("an evaluation is called sent that was not")
        if messages and checkpoint["evaluation"] == "":
            self.say("an evaluation was sent that is not due")
        if len(messages) != len(set(messages)):
            self.say("an evaluation is there twice")

    def _check_brain(self) -> None:
        """What is missing in the brain waits in a checkpoint."""
        waiting = {each for c in self.checkpoints.values() for each in c["unindexed"]}
        # On a single server a note may be there already that is still to be struck off.
        waiting |= {each["_id"] for c in self.checkpoints.values() for each in c["pending"]}
        for key, note in self.items.items():
            node = self.brain._written.get(str(key))
            if str(key) in waiting:
                continue
            if node is None:
                self.say("a note is in no brain, and nobody will bring it there")
            elif content_hash(node["content"]) != content_hash(note["content"]):
                self.say("a node has another text than its note")
            elif node["properties"].get("qualityScore") != note["automationMetadata"].get("qualityScore"):
                self.say("a node has another score than its note")

    def check_synced(self) -> None:
        """After a sync the brain has what MongoDB has."""
        if set(self.brain._written) != {str(key) for key in self.items}:
            self.say("after a sync the brain has other notes than MongoDB")


def _total_usd(checkpoint: Object) -> float:
    ledger = checkpoint["ledger"]
    return float(ledger["costUsd"] + sum(each["costUsd"] for each in ledger["reserved"]))


def _place(note: Object) -> str:
    origin = note["automationMetadata"]
    return names.checkpoint_id(origin["runUid"], origin["department"])


def _may_skip(asked: Asked, department: Object, earlier: list[Object]) -> bool:
    match department.get("reason"):
        case "EarlierDepartmentFailed":
            stops = asked.spec.get("onDepartmentFailure") == "Stop"
            return stops and any(d["phase"] == "Failed" for d in earlier)
        case "BudgetUsed":
            return any(d.get("reason") == "BudgetUsed" for d in earlier)
        case "IterationsExhausted":
            return bool(sum(d.get("iterations", 0) for d in earlier) >= asked.spec["maxIterations"])
        case _:
            return False
