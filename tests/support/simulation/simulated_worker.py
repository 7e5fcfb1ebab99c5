"""A worker's process: what `gather-worker run` does, with the services of the simulation."""

import asyncio
from typing import Any

import httpx

from gather_clients.brain_client import BrainClient
from gather_contracts.result import DepartmentResult, ExitCode, StopReason, encode_result
from gather_contracts.run_document import decode_run_document
from gather_worker.attempt import Attempt, soft_deadline_s
from gather_worker.department.outcome import Outcome
from gather_worker.department.task import DepartmentTask
from gather_worker.department_run import carry_out
from gather_worker.errors import WorkerError
from gather_worker.llm.access.model_client import new_client
from gather_worker.llm.budget import BudgetGuard
from gather_worker.llm.gateway import ModelGateway
from gather_worker.services.brain import Brain
from gather_worker.services.department_events import EventPublisher
from gather_worker.services.store import Store
from gather_worker.settings import Settings
from gather_worker.steps.dependencies import Dependencies
from gather_worker.steps.pipeline import Pipeline
from tests.support.simulation.cluster.kube_in_memory import Object
from tests.support.simulation.cluster.kubelets import Ended, WorkerProcess
from tests.support.simulation.redis_in_memory import RedisInMemory, SimulatedAnswerCache, SimulatedEventLog
from tests.support.simulation.thinking_services import USD_IN, USD_OUT, SimulatedBrain, SimulatedModel
from tests.support.simulation.wire import Wire

SETTINGS = Settings.model_validate(
    {
        "MONGODB_URI": "mongodb://simulated",
        "REDIS_URL": "redis://simulated",
        "BRAIN_SERVICE_BASE_URL": "http://brain",
        "BRAIN_SERVICE_API_KEY": "k",
        "GATHER_LLM_BASE_URL": "http://model/v1",
        "GATHER_LLM_PRICE_INPUT_USD_PER_MILLION": USD_IN * 1e6,
        "GATHER_LLM_PRICE_OUTPUT_USD_PER_MILLION": USD_OUT * 1e6,
    }
)


class Workers:
    """Starts workers; the services are the same for all of them."""

    def __init__(
        self, wire: Wire, redis: RedisInMemory, model: SimulatedModel, brain: SimulatedBrain
    ) -> None:
        self._wire, self._redis = wire, redis
        self._model, self._brain = httpx.MockTransport(model.answer), httpx.MockTransport(brain.serve)

    async def launch(self, worker: WorkerProcess, pod: Object, text: str) -> Ended:
        """Work on a department to the end; return what the kubelet sees of it."""
        outcome = Outcome()
        if worker.locals.get("is_terminated"):
            early = DepartmentResult(
                iterations=0, items_created=0, quality_score=0, reason=StopReason.TERMINATED
            )
            return Ended(int(ExitCode.TERMINATED), encode_result(early))
        try:
            outcome.ended(await self._work(worker, pod, text, outcome), ExitCode.DONE)
        except WorkerError as error:
            outcome.ended(error.reason, error.exit_code, str(error))
        except Exception as error:  # noqa: BLE001 - as the worker's own entry point has it
            worker.locals["error"] = error
            outcome.ended(StopReason.INTERNAL_ERROR, ExitCode.TRY_AGAIN, type(error).__name__)
        return Ended(int(outcome.exit_code), encode_result(outcome.result()))

    async def _work(self, worker: WorkerProcess, pod: Object, text: str, outcome: Outcome) -> StopReason:
        arguments = pod["spec"]["containers"][0]["args"]
        document = decode_run_document(text)
        index, allowance = int(arguments[4]), int(arguments[6])
        task = DepartmentTask(document, index, allowance, worker.pod)
        attempt = Attempt(soft_deadline_s(document.spec.department_timeout_seconds))
        worker.locals["terminate"] = attempt.terminate
        if worker.locals.get("is_terminated"):
            attempt.terminate()
        dependencies = self._dependencies(task, attempt)
        try:
            reason = await carry_out(Pipeline(task, SETTINGS, dependencies, attempt), outcome)
        except asyncio.CancelledError:
            dependencies.events.end()  # killed
            raise
        except WorkerError:
            await dependencies.events.close()
            raise
        await dependencies.events.close()
        return reason

    def _dependencies(self, task: DepartmentTask, attempt: Attempt) -> Dependencies:
        settings, project_id = SETTINGS, task.document.spec.project_id
        store = Store(settings.mongodb_uri.get_secret_value(), project_id, attempt, settings.store_patience_s)
        brain = BrainClient("http://brain", "k", transport=self._brain)
        log: Any = SimulatedEventLog(self._redis, self._wire)
        cache: Any = SimulatedAnswerCache(self._redis, self._wire)
        model = ModelGateway(
            new_client(settings.llm_base_url, "k", self._model),
            attempt,
            timeout_s=settings.llm_timeout_s,
            max_tokens=1100,
            budget=BudgetGuard(task.document.spec.budget, settings.llm_price),
            cache=cache,
            run=task.document.run.uid,
        )
        events = EventPublisher(log, task.document, task.department, task.allowance)
        return Dependencies(store, Brain(brain, attempt, project_id), model, events)
