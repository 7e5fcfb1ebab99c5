"""One simulation: operator, workers and stores in one process, all of it drawn from one seed."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final
from unittest.mock import patch

import httpx

import gather_worker.llm.gateway
import gather_worker.services.evaluation
import gather_worker.services.mongodb
from gather_clients.brain_client import BrainClient
from gather_contracts.departments import CmsDepartment
from gather_worker.attempt import Attempt
from gather_worker.schemas import json_schema
from gather_worker.services.brain_nodes import BrainNodes
from gather_worker.services.note_pages import NotePages
from gather_worker.services.store import Store
from gather_worker.sync.synchronizer import Synchronizer
from tests.support.simulation import virtual_time
from tests.support.simulation.cluster.job_controller import JobController
from tests.support.simulation.cluster.kube_in_memory import RUNS, ApiServer
from tests.support.simulation.cluster.kubelets import Kubelets, WorkerProcess
from tests.support.simulation.fault_plan import FaultPlan, draw_plan
from tests.support.simulation.final_checks import FINAL, Asked, FinalChecks
from tests.support.simulation.mishaps import CHANCES, Mishaps
from tests.support.simulation.mongodb.mongo_driver import Driver
from tests.support.simulation.mongodb.mongo_in_memory import MongoInMemory
from tests.support.simulation.processes import CURRENT, Machine, install
from tests.support.simulation.redis_in_memory import RedisInMemory, sender_of
from tests.support.simulation.simulated_operator import OperatorProcess, Operators
from tests.support.simulation.simulated_worker import Workers
from tests.support.simulation.thinking_services import SimulatedBrain, SimulatedCms, SimulatedModel
from tests.support.simulation.virtual_loop import Hang, run_virtual
from tests.support.simulation.wire import Wire
from tests.support.simulation.witness import Witness

PROJECT: Final = "0123456789abcdef01234567"
SLUGS: Final = ("story", "world", "music")
REST_S: Final = 60.0
"""After the last run has ended: events are sent, pods of dead nodes are taken away."""
LOOK_S: Final = 2.0
SCHEMA_OF: Final = cache(json_schema)


@dataclass
class Outcome:
    """What came of one simulation."""

    seed: int
    trace: str = ""
    violations: list[str] = field(default_factory=list)
    runs: int = 0
    virtual_s: float = 0.0
    processor_s: float = 0.0
    calls: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)
    """The whole trace, where it was asked for."""


class Simulation:
    """The world of one seed."""

    def __init__(self, seed: int, *, is_calm: bool, is_verbose: bool) -> None:
        self.seed, self.is_calm = seed, is_calm
        self.outcome = Outcome(seed)
        rng = self.rng = random.Random(f"simulation {seed}")  # noqa: S311 - repeatable, not secret
        self.plan: FaultPlan = draw_plan(rng, CHANCES, is_calm=is_calm)
        self.wire = Wire(self.plan, is_verbose=is_verbose)
        self.server = ApiServer()
        self.mongo = MongoInMemory(
            virtual_time.monotonic, virtual_time.true_now, has_transactions=rng.random() < 0.7
        )
        self.redis = RedisInMemory()
        self.model = SimulatedModel(
            self.wire, rng, rng.uniform(1, 30), 0.0 if is_calm else rng.choice((0.0, 0.02, 0.1))
        )
        self.brain = SimulatedBrain(self.wire)
        self.jobs = JobController(self.server, rng.uniform)
        workers = Workers(self.wire, self.redis, self.model, self.brain)
        self.kubelets = Kubelets(self.server, workers.launch, rng.uniform)
        self.departments = tuple(
            CmsDepartment(slug=slug, name=slug.title(), description=f"The {slug}.", code_dep_number=number)
            for number, slug in enumerate(SLUGS[: rng.randint(1, 3)], start=1)
        )
        self.operators = Operators(
            self.server, self.wire, self.redis, SimulatedCms(self.wire, self.departments)
        )
        self.living: list[OperatorProcess] = []
        self.machine = Machine("control plane")
        self.runs: list[Asked] = []
        self.mishaps = Mishaps(self)
        self.witness = Witness(self.server, self.mongo, self.kubelets, self.say)
        self._listen()

    def _listen(self) -> None:
        self.mongo.witness = self.witness.see_write
        self.redis.seen = self.witness.see_event
        self.model.charged = self.witness.see_charge
        self.kubelets.started = self._see_start
        self.server.listeners.append(self.witness.see_object)

    def say(self, violation: str) -> None:
        """Note a violation once."""
        if violation not in self.outcome.violations:
            self.outcome.violations.append(violation)
            self.wire.note("witness", violation)

    def _see_start(self, worker: WorkerProcess) -> None:
        self.witness.see_start(worker)
        if self.plan.is_mourned:
            worker.locals["mourner"] = self.mishaps.mourn

    # --- the course of things

    async def play(self) -> None:
        """Let everything happen, and look at the end whether all is well."""
        loop = asyncio.get_running_loop()
        virtual_time.LOOP.append(loop)
        try:
            install(loop, lambda what: self.say(f"unhandled: {what}"))
            self.living.append(self.operators.start(self.machine))
            tasks = [loop.create_task(self._supervise()), loop.create_task(self.mishaps.run())]
            for number in range(self.rng.choice((1, 1, 2))):
                self.ask(number)
                await asyncio.sleep(self.rng.uniform(0, 20))
            await self._rest()
            for task in tasks:
                if task.done() and not task.cancelled() and task.exception() is not None:
                    raise task.exception() or AssertionError
                task.cancel()
            for operator in self.living:
                operator.kill()
            await self._judge()
        finally:
            self.outcome.virtual_s = loop.time()
            virtual_time.LOOP.remove(loop)

    def ask(self, number: int) -> None:
        """Make a run, as a person does."""
        rng, count = self.rng, len(self.departments)
        spec: dict[str, Any] = {
            "projectId": PROJECT,
            "userId": "me",
            "maxIterations": max(count, rng.randint(1, 3 * count + 1)),
            "qualityThreshold": rng.choice((45, 60, 75, 95)),
            "departmentRetries": rng.choice((0, 1, 3, 3, 3)),
            "departmentTimeoutSeconds": rng.choice((60, 300, 600, 600)),
            "onDepartmentFailure": rng.choice(("Continue", "Stop")),
        }
        if self.is_calm:
            spec |= {"departmentTimeoutSeconds": 600}
        if rng.random() < 0.4:
            spec["budget"] = {"maxCostUSD": round(rng.uniform(0.03, 0.15), 3)}
        body = self.server.create(
            RUNS, {"metadata": {"name": f"film-{number}", "namespace": "films"}, "spec": spec, "status": {}}
        )
        asked = Asked(f"film-{number}", body["metadata"]["uid"], spec)
        if "budget" in spec:
            self.witness.budgets[asked.uid] = spec["budget"]["maxCostUSD"]
        self.runs.append(asked)

    async def _supervise(self) -> None:
        """Start an operator again after it was killed, as its Deployment does."""
        while True:
            await asyncio.sleep(0.5)
            for operator in [each for each in self.living if each.ended.is_set()]:
                if not operator.is_dead:
                    self.say("an operator has ended by itself")
                self.living.remove(operator)
            if not self.living:
                await asyncio.sleep(self.rng.uniform(1, 10))
                self.living.append(self.operators.start(self.machine))

    async def _rest(self) -> None:
        """Wait until all runs have ended, within a bound that counts from the last fault."""
        loop = asyncio.get_running_loop()
        timeout_s = max(int(each.spec["departmentTimeoutSeconds"]) for each in self.runs)
        bound_s = self.plan.until_s + 500 + len(self.departments) * (timeout_s + 250)
        while loop.time() < bound_s and not self._is_over():  # noqa: ASYNC110 - the time is virtual
            await asyncio.sleep(LOOK_S)
        if any(not node.is_alive for node in self.kubelets.nodes):
            await asyncio.sleep(max(0.0, self.plan.until_s - loop.time()))
        self.plan.until_s = min(self.plan.until_s, loop.time())
        self.plan.outages.clear()
        await asyncio.sleep(REST_S)

    def _is_over(self) -> bool:
        bodies = [self.server.get(RUNS, asked.name) for asked in self.runs]
        return all(
            body is None
            or (body["status"].get("phase") in FINAL and not body["metadata"].get("deletionTimestamp"))
            for body in bodies
        )

    # --- the end

    async def _judge(self) -> None:
        checks = FinalChecks(
            self.server, self.jobs, self.kubelets, self.mongo, self.redis, self.brain, self.model,
            self.witness, self.say,
        )  # fmt: skip
        checks.check(self.runs, is_calm=self.is_calm)
        for node in self.kubelets.nodes:
            for worker in node.workers.values():
                if (error := worker.locals.get("error")) is not None:
                    self.say(f"a worker's unexpected error: {error!r}")
        await self._sync()
        checks.check_synced()
        self.outcome.runs = len(self.runs)
        for asked in self.runs:
            body = self.server.get(RUNS, asked.name)
            self.outcome.phases[body["status"].get("phase", "Pending") if body else "deleted"] += 1

    async def _sync(self) -> None:
        """Let the brain follow MongoDB, as `gather-worker sync` does."""
        person = WorkerProcess("sync", self.machine)
        token = CURRENT.set(person)
        try:
            attempt = Attempt(3600)
            store = Store("mongodb://simulated", PROJECT, attempt, 60)
            client = BrainClient("http://brain", "k", transport=httpx.MockTransport(self.brain.serve))
            synchronizer = Synchronizer(NotePages(store), BrainNodes(client, attempt, PROJECT))
            await synchronizer.run()
        finally:
            CURRENT.reset(token)

    @contextmanager
    def exchanged(self) -> Iterator[None]:
        """Exchange what opens connections by itself."""
        with ExitStack() as stack:
            for module, name, stand_in in (
                (
                    gather_worker.services.mongodb,
                    "AsyncMongoClient",
                    lambda *_, **__: Driver(self.mongo, self.wire),
                ),
                # The same schemas are made for each question; no fault can come from there.
                (gather_worker.llm.gateway, "json_schema", SCHEMA_OF),
                (gather_worker.services.evaluation, "send_evaluation", sender_of(self.redis, self.wire)),
            ):
                stack.enter_context(patch.object(module, name, stand_in))
            yield


def simulate(seed: int, *, is_calm: bool | None = None, is_verbose: bool = False) -> Outcome:
    """Play one seed; every twentieth is calm unless `is_calm` says otherwise.

    `virtual_time.virtual_time` has to be in force.
    """
    began_s = time.process_time()
    calm = seed % 20 == 0 if is_calm is None else is_calm
    virtual_time.seeded(seed)
    simulation = Simulation(seed, is_calm=calm, is_verbose=is_verbose)
    outcome = simulation.outcome
    with simulation.exchanged():
        try:
            run_virtual(simulation.play())
        except Hang as error:
            simulation.outcome.violations.append(f"it hangs: {error}")
    outcome.trace, outcome.calls, outcome.lines = (
        simulation.wire.trace,
        simulation.wire.calls,
        simulation.wire.lines,
    )
    outcome.faults = Counter({kind: count for kind, count in simulation.plan.happened.items() if count})
    outcome.processor_s = time.process_time() - began_s
    return outcome
