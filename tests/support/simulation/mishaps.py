"""Carries out what a plan has drawn for fixed times: deaths, deletions, outages' ends, and people."""

import asyncio
import math
from typing import TYPE_CHECKING, Any, Final

from gather_contracts import names
from gather_operator.kube.cluster import Cluster
from tests.support.simulation.cluster.kube_in_memory import DOCUMENTS, JOBS, PODS, RUNS
from tests.support.simulation.cluster.kubelets import disrupt
from tests.support.simulation.fault_plan import MISHAPS, Mishap
from tests.support.simulation.virtual_time import monotonic

if TYPE_CHECKING:
    from tests.support.simulation.simulation import Simulation

CHANCES: Final = {
    kind: chance
    for kind, chance in MISHAPS.items()
    # The operator sees a ConfigMap that is deleted only where it watches ConfigMaps.
    if kind != "delete document" or hasattr(Cluster, "watch_documents")
}
"""Of what the product promises to stand."""
FROZEN_S_MAX: Final = 120.0
SILENT_S_MAX: Final = 90.0


class Mishaps:
    """One simulation's."""

    def __init__(self, simulation: "Simulation") -> None:
        self._s = simulation
        self._work: set[asyncio.Task[Any]] = set()

    async def run(self) -> None:
        """Carry all out, each at its time."""
        loop, plan = asyncio.get_running_loop(), self._s.plan
        for outage in plan.outages:
            self._begin(self._outage(outage.service, outage.from_s, loses_data=outage.loses_data))
        for mishap in plan.mishaps:
            await asyncio.sleep(max(0.0, mishap.at_s - loop.time()))
            if loop.time() > plan.until_s:
                return
            act = getattr(self, "_" + mishap.kind.replace(" ", "_"))
            if act(mishap):
                plan.happened[mishap.kind] += 1
                self._s.wire.note("mishap", mishap.kind)

    def _begin(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _outage(self, service: str, from_s: float, *, loses_data: bool) -> None:
        await asyncio.sleep(from_s)
        self._s.plan.happened[f"{service}: away"] += 1
        if service == "redis":
            self._s.redis.drop_connections()
            if loses_data:
                self._s.plan.happened["redis: data lost"] += 1
                self._s.redis.lose_data()
        if service == "api":
            self._s.server.break_watches()

    # --- processes

    def _kill_operator(self, mishap: Mishap) -> bool:
        living = self._s.living
        if living:
            living[mishap.number % len(living)].kill()
        return bool(living)

    def _duplicate_operator(self, mishap: Mishap) -> bool:
        another = self._s.operators.start(self._s.machine)
        self._s.living.append(another)
        asyncio.get_running_loop().call_later(mishap.size, another.kill)
        return True

    def _kill_worker(self, mishap: Mishap) -> bool:
        workers = self._s.kubelets.workers
        if workers:
            workers[mishap.number % len(workers)].kill()
        return bool(workers)

    def _stop_worker(self, mishap: Mishap) -> bool:
        workers = [worker for worker in self._s.kubelets.workers if worker.thawed is None]
        if workers:
            worker = workers[mishap.number % len(workers)]
            worker.freeze()
            asyncio.get_running_loop().call_later(min(mishap.size, FROZEN_S_MAX), worker.thaw)
        return bool(workers)

    def _node_dies(self, mishap: Mishap) -> bool:
        # One node may never come back; the others have to, or nothing could be scheduled.
        is_gone = mishap.number % len(self._s.kubelets.nodes) == 0 and mishap.number % 4 == 0
        for_s = math.inf if is_gone else mishap.size
        self._s.kubelets.node_dies(mishap.number, for_s, is_frozen=mishap.number % 2 == 0)
        return True

    # --- objects

    def _pick(self, kind: str, mishap: Mishap) -> str:
        there = sorted(self._s.server.objects[kind])
        return there[mishap.number % len(there)] if there else ""

    def _delete(self, kind: str, mishap: Mishap) -> bool:
        return self._s.server.delete(kind, self._pick(kind, mishap)) is not None

    def _delete_job(self, mishap: Mishap) -> bool:
        return self._delete(JOBS, mishap)

    def _delete_pod(self, mishap: Mishap) -> bool:
        return self._delete(PODS, mishap)

    def _delete_document(self, mishap: Mishap) -> bool:
        return self._delete(DOCUMENTS, mishap)

    def _evict_pod(self, mishap: Mishap) -> bool:
        name = self._pick(PODS, mishap)
        if name:
            disrupt(self._s.server, name, "EvictionByEvictionAPI")
        return bool(name)

    def _lose_results(self, _: Mishap) -> bool:
        self._s.kubelets.loses_results += 1
        return True

    # --- watches and clocks

    def _watches_break(self, _: Mishap) -> bool:
        self._s.server.break_watches()
        return True

    def _watch_falls_silent(self, mishap: Mishap) -> bool:
        kind = (JOBS, PODS)[mishap.number % 2]
        self._s.server.silent_until_s[kind] = monotonic() + min(mishap.size, SILENT_S_MAX)
        return True

    def _run_watch_is_deaf(self, mishap: Mishap) -> bool:
        for operator in self._s.living:
            operator.deaf_until_s = monotonic() + mishap.size
        return True

    def _versions_expire(self, _: Mishap) -> bool:
        self._s.server.expire()
        self._s.server.break_watches()
        return True

    def _operator_clock(self, mishap: Mishap) -> bool:
        self._s.machine.wall_offset_s += mishap.size
        return True

    def _worker_clock(self, mishap: Mishap) -> bool:
        nodes = self._s.kubelets.nodes
        nodes[mishap.number % len(nodes)].machine.wall_offset_s += mishap.size
        return True

    # --- people

    def mourn(self) -> None:
        """After a death, delete notes in a while."""
        self._begin(self._delete_in_a_while(self._s.rng.uniform(0.0, 8.0), self._s.rng.randrange(100)))

    async def _delete_in_a_while(self, wait_s: float, number: int) -> None:
        await asyncio.sleep(wait_s)
        if self._person_deletes_notes(Mishap(0.0, "", number)):
            self._s.plan.happened["person deletes notes"] += 1

    def _person_deletes_notes(self, mishap: Mishap) -> bool:
        there = sorted(self._s.mongo.collections.get(names.ITEMS_COLLECTION, {}))
        some = there[mishap.number % 3 :: 3]
        try:
            self._s.mongo.delete(names.ITEMS_COLLECTION, some)
        except Exception:  # noqa: BLE001 - a transaction holds one of them
            return False
        return bool(some)

    def _cancel(self, mishap: Mishap) -> bool:
        asked = self._s.runs[mishap.number % len(self._s.runs)]
        body = self._s.server.get(RUNS, asked.name)
        if body is None:
            return False
        asked.is_cancelled = True
        self._s.server.put(RUNS, asked.name, spec={**body["spec"], "cancel": True})
        return True

    def _delete_run(self, mishap: Mishap) -> bool:
        asked = self._s.runs[mishap.number % len(self._s.runs)]
        asked.is_deleted = True
        return self._s.server.delete(RUNS, asked.name) is not None
