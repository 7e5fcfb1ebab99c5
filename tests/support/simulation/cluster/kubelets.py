"""Nodes with their kubelets: they start workers, stop them, and report how they ended.

A dead node reports and stops nothing, while its workers may run on, or be frozen and wake up later.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from gather_operator.decisions.manifests import CONTAINER, GRACE_PERIOD_S, NODE_MONITOR_GRACE_S
from tests.support.simulation.cluster.kube_in_memory import DOCUMENTS, PODS, ApiServer, Object, now_text
from tests.support.simulation.processes import Machine, Process

SIGKILLED: Final = 137
START_S: Final = (0.3, 2.5)
"""From a pod's binding to its container's start."""


@dataclass
class Ended:
    """How a container ended, as its kubelet saw it."""

    exit_code: int
    message: str = ""


class WorkerProcess(Process):
    """A worker that a kubelet can stop."""

    pod: str = ""
    run_uid: str = ""
    slug: str = ""
    epoch: int = 0
    """Of its checkpoint, once it has taken one."""
    outcome: Ended | None = None

    def terminate(self) -> None:
        """Send SIGTERM."""
        if (handler := self.locals.get("terminate")) is not None:
            handler()
        else:
            self.locals["is_terminated"] = True


Launch = Callable[[WorkerProcess, Object, str], Coroutine[Any, Any, Ended]]
"""Runs a worker for a pod, with its run document, to its end."""


@dataclass
class Node:
    """One machine of the cluster."""

    machine: Machine
    is_alive: bool = True
    workers: dict[str, WorkerProcess] = field(default_factory=dict)
    """By pod name."""


class Kubelets:
    """All nodes, and the scheduler that binds pods to the living ones."""

    def __init__(self, server: ApiServer, launch: Launch, draw: Callable[[float, float], float]) -> None:
        self._server, self._launch, self._draw = server, launch, draw
        self.nodes = [Node(Machine(f"node-{number}")) for number in range(3)]
        self.started: Callable[[WorkerProcess], None] = lambda _: None
        self.loses_results = 0
        self._next = 0
        self._busy: set[asyncio.Task[None]] = set()
        server.listeners.append(self._on_change)

    @property
    def workers(self) -> list[WorkerProcess]:
        """Return the workers that still live, on whatever node."""
        return [w for node in self.nodes for w in node.workers.values() if not w.is_dead]

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    def _on_change(self, kind: str, change: str, before: Object | None, after: Object | None) -> None:
        if kind != PODS or after is None:
            return
        if change == "ADDED":
            self._begin(self._run(after["metadata"]["name"]))
        elif before is not None and _is_going(after) and not _is_going(before):
            self._begin(self._delete(after["metadata"]["name"]))

    # --- starting

    async def _run(self, name: str) -> None:
        """Bind a pod, start its worker, and wait for its end or its deadline."""
        node = await self._bind()
        self._status(name, phase="Pending", spec_node=node.machine.name)
        await asyncio.sleep(self._draw(*START_S))
        await self._when_alive(node)
        while (pod := self._living(name, node)) is not None:
            config_map = self._server.get(DOCUMENTS, _document_of(pod))
            if config_map is not None:
                break
            await asyncio.sleep(2.0)
        if pod is None:
            return
        text = config_map["data"]["run.json"] if config_map is not None else ""
        worker = WorkerProcess(name, node.machine)
        worker.pod = name
        worker.run_uid = pod["metadata"]["labels"]["gather.ft.tc/run-uid"]
        worker.slug = pod["metadata"]["labels"]["gather.ft.tc/department"]
        node.workers[name] = worker
        self.started(worker)
        began = now_text()
        self._status(name, phase="Running", state={"running": {"startedAt": began}})
        main = worker.start(self._launch(worker, pod, text))
        main.add_done_callback(lambda task: self._note_outcome(worker, task))
        deadline_s = float(pod["spec"]["activeDeadlineSeconds"])
        try:
            async with asyncio.timeout(deadline_s):
                await worker.ended.wait()
        except TimeoutError:
            await self._when_alive(node)
            await self._stop(worker)
            await self._report(node, worker, began, "DeadlineExceeded")
            return
        await self._report(node, worker, began)

    def _note_outcome(self, worker: WorkerProcess, task: "asyncio.Task[Ended]") -> None:
        if not task.cancelled() and task.exception() is None and not worker.is_dead:
            worker.outcome = task.result()
        elif not task.cancelled() and isinstance(task.exception(), Exception):
            worker.locals["error"] = task.exception()
        worker.is_dead = True

    async def _bind(self) -> Node:
        while True:
            alive = [node for node in self.nodes if node.is_alive]
            if alive:
                self._next += 1
                return alive[self._next % len(alive)]
            await asyncio.sleep(1.0)

    def _living(self, name: str, node: Node) -> Object | None:
        """Return the pod if it is still wanted here."""
        pod = self._server.get(PODS, name)
        if pod is None or pod["metadata"].get("deletionTimestamp") or not node.is_alive:
            return None
        return pod

    # --- stopping

    async def _stop(self, worker: WorkerProcess) -> None:
        """SIGTERM, and SIGKILL after the grace period."""
        if worker.is_dead:
            return
        worker.terminate()
        try:
            async with asyncio.timeout(GRACE_PERIOD_S):
                await worker.ended.wait()
        except TimeoutError:
            worker.kill()

    async def _delete(self, name: str) -> None:
        """End a pod whose deletion was asked for, once its node lives; then it is gone."""
        await asyncio.sleep(self._draw(0.05, 0.3))
        node = next((n for n in self.nodes if name in n.workers), None)
        if node is None:
            bound = (self._server.get(PODS, name) or {}).get("spec", {}).get("nodeName")
            node = next((n for n in self.nodes if n.machine.name == bound), None)
        if node is not None:
            await self._when_alive(node)
            if (worker := node.workers.get(name)) is not None:
                await self._stop(worker)
                await asyncio.sleep(0.2)
        pod = self._server.get(PODS, name)
        if pod is not None and pod["status"]["phase"] in {"Pending", "Running"}:
            self._status(name, phase="Failed")
        # The Job controller has to see how it ended before it goes: its finalizer sees to that.
        await asyncio.sleep(0.5)
        self._server.remove(PODS, name)

    async def _when_alive(self, node: Node) -> None:
        while not node.is_alive:  # noqa: ASYNC110 - as a kubelet, it looks now and then
            await asyncio.sleep(0.5)

    # --- reporting

    async def _report(self, node: Node, worker: WorkerProcess, began: str, reason: str = "") -> None:
        await self._when_alive(node)
        ended = worker.outcome or Ended(SIGKILLED)
        message = ended.message
        if self.loses_results and message and ended.exit_code == 0:
            self.loses_results -= 1
            message = ""
        why = "Completed" if ended.exit_code == 0 else "Error"
        state = {
            "exitCode": ended.exit_code, "message": message, "reason": why, "startedAt": began,
            "finishedAt": now_text(),
        }  # fmt: skip
        is_good = ended.exit_code == 0 and not reason
        self._status(
            worker.pod, phase="Succeeded" if is_good else "Failed", state={"terminated": state}, reason=reason
        )

    def _status(
        self, name: str, phase: str, state: Object | None = None, reason: str = "", spec_node: str = ""
    ) -> None:
        pod = self._server.get(PODS, name)
        if pod is None or pod["status"].get("phase") in {"Succeeded", "Failed"}:
            return
        status = {**pod["status"], "phase": phase}
        if state is not None:
            status["containerStatuses"] = [{"name": CONTAINER, "state": state}]
        if reason:
            status["reason"] = reason
        changes: Object = {"status": status}
        if spec_node:
            changes["spec"] = {**pod["spec"], "nodeName": spec_node}
        self._server.put(PODS, name, **changes)

    # --- mishaps

    def node_dies(self, number: int, for_s: float, *, is_frozen: bool) -> None:
        """Cut a node off, for so long; its workers run on, or stand still until it is back."""
        node = self.nodes[number % len(self.nodes)]
        if node.is_alive:
            node.is_alive = False
            self._begin(self._dead_node(node, for_s, is_frozen=is_frozen))

    async def _dead_node(self, node: Node, for_s: float, *, is_frozen: bool) -> None:
        workers = [worker for worker in node.workers.values() if not worker.is_dead]
        if is_frozen:
            for worker in workers:
                worker.freeze()
        self._begin(self._taint(node))
        if math.isinf(for_s):
            return
        await asyncio.sleep(for_s)
        for worker in workers:
            worker.thaw()
        node.is_alive = True

    async def _taint(self, node: Node) -> None:
        """After a while the control plane calls the node unreachable, and its pods are to end."""
        await asyncio.sleep(NODE_MONITOR_GRACE_S)
        if node.is_alive:
            return
        pods = [p for p in self._server.objects[PODS].values() if _node_of(p) == node.machine.name]
        for pod in pods:
            self._begin(self._tolerate(node, pod["metadata"]["name"], _tolerance_s(pod)))

    async def _tolerate(self, node: Node, name: str, tolerance_s: float) -> None:
        await asyncio.sleep(tolerance_s)
        pod = self._server.get(PODS, name)
        if not node.is_alive and pod is not None and pod["status"]["phase"] in {"Pending", "Running"}:
            disrupt(self._server, name, "DeletionByTaintManager")


def disrupt(server: ApiServer, name: str, reason: str) -> None:
    """Let a pod end through no fault of its own, and have it say so."""
    pod = server.get(PODS, name)
    if pod is None:
        return
    target = {"type": "DisruptionTarget", "status": "True", "reason": reason}
    conditions = [*pod["status"].get("conditions", []), target]
    server.put(PODS, name, status={**pod["status"], "conditions": conditions})
    server.delete(PODS, name)


def _is_going(pod: Object) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _node_of(pod: Object) -> str:
    return str(pod["spec"].get("nodeName", ""))


def _tolerance_s(pod: Object) -> float:
    return float(next(t["tolerationSeconds"] for t in pod["spec"]["tolerations"] if "tolerationSeconds" in t))


def _document_of(pod: Object) -> str:
    return next(str(v["configMap"]["name"]) for v in pod["spec"]["volumes"] if "configMap" in v)
