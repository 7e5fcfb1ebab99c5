"""Worker processes that are killed, stopped or held up at chosen writes, and what must be true afterwards.

The truth is read from the services themselves: the notes in MongoDB, the nodes in Neo4j, the events and the
queue in Redis, and what the demo model says that it charged.
"""

import json
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import redis

from dev.waiting import wait_for
from gather_contracts import names
from gather_contracts.events import decode_event
from tests.support.fault_proxies import FaultProxies, Phase, Request, Trigger
from tests.support.worker_harness import Ended, Worker, WorkerHarness

CATCH_TIMEOUT_S: Final = 60


@dataclass(frozen=True, slots=True)
class Charged:
    """What the demo model has charged since its start."""

    requests: int
    cost_usd: float
    tokens: int

    def since(self, before: "Charged") -> "Charged":
        """Return the difference."""
        return Charged(
            self.requests - before.requests,
            round(self.cost_usd - before.cost_usd, 9),
            self.tokens - before.tokens,
        )


def read_charged(model_uri: str) -> Charged:
    """Ask the demo model."""
    totals = httpx.get(f"{model_uri}/demo/usage", timeout=5).json()
    usage = totals["usage"]
    return Charged(totals["requests"], usage["cost"], usage["total_tokens"])


@dataclass(frozen=True)
class Truth:
    """One department's run as the services have it."""

    checkpoint: dict[str, Any]
    items: list[dict[str, Any]]
    nodes: dict[str, dict[str, Any]]
    events: list[Any]
    evaluations: int
    charged: Charged
    """By the model, whether the worker heard of it or not."""

    @property
    def is_begun(self) -> bool:
        """Return whether any worker took the department up."""
        return bool(self.checkpoint)

    @property
    def unnoted_requests(self) -> int:
        """Return how many requests the model has charged that the ledger does not know."""
        return self.charged.requests - int(self.checkpoint["ledger"]["requests"])

    @property
    def story(self) -> list[tuple[Any, ...]]:
        """Return what the run made, without what differs between any two runs."""
        return sorted(
            (
                i["automationMetadata"]["iteration"],
                i["automationMetadata"]["qualityScore"],
                i["content"],
                i["summary"],
            )
            for i in self.items
        )


@dataclass
class CrashHarness:
    """One run of one department, with proxies between its workers and the services."""

    harness: WorkerHarness
    proxies: FaultProxies
    iterations: int = 4
    before: Charged = field(init=False)

    def __post_init__(self) -> None:
        self.before = read_charged(self.harness.services.model_uri)

    def start(self, *, is_proxied: bool) -> Worker:
        """Start a worker on the department."""
        self.harness.reached_at = self.proxies.services if is_proxied else None
        return self.harness.start(0, self.iterations)

    def run(self) -> Ended:
        """Run a worker to its end, undisturbed."""
        return self.start(is_proxied=False).wait()

    def start_with_trigger(
        self, number: int, phase: Phase, action: Callable[[Worker], bool], name: str = ""
    ) -> tuple[Trigger, Worker]:
        """Start a worker on which `action` acts at its `number`-th write, of this name if one is given."""
        started: list[Worker] = []
        is_started = threading.Event()

        def act() -> bool:
            is_started.wait(CATCH_TIMEOUT_S)
            return action(started[0])

        trigger = self.proxies.set_trigger(number, phase, act, name)
        started.append(self.start(is_proxied=True))
        is_started.set()
        return trigger, started[0]

    def killed_at(self, number: int, phase: Phase, name: str = "") -> Request | None:
        """Run a worker that dies at its `number`-th write, of this name if one is given.

        Return the write, None if it had fewer.
        """
        trigger, worker = self.start_with_trigger(number, phase, kill, name)
        worker.wait()
        return trigger.fired_by

    def wait_epoch(self, epoch: int) -> None:
        """Wait until so many workers have taken the department up."""
        wait_for(f"epoch {epoch}", lambda: self.harness.checkpoint().get("epoch") == epoch, CATCH_TIMEOUT_S)

    def truth(self) -> Truth:
        """Read everything."""
        task_id = names.evaluation_task_id(
            self.harness.document.run.uid, self.harness.document.departments[0].slug
        )
        with redis.Redis.from_url(self.harness.services.redis_url) as client:
            log: Any = client.xrange(names.event_log(self.harness.project_id))
            queue: Any = client.lrange(names.EVALUATION_QUEUE, 0, -1)
        return Truth(
            checkpoint=self.harness.checkpoint(),
            items=self.harness.items(),
            nodes=self.harness.node_properties(),
            events=[decode_event(fields[b"event"]) for _, fields in log],
            evaluations=sum(json.loads(text)["headers"]["id"] == task_id for text in queue),
            charged=read_charged(self.harness.services.model_uri).since(self.before),
        )


def kill(worker: Worker) -> bool:
    """Kill the worker; it is gone when this returns, so that nothing of what it hears has an effect."""
    os.kill(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
    return False


class Freeze:
    """Stops a worker in the middle of a write, which is delivered only when it is let go."""

    def __init__(self) -> None:
        self.is_frozen = threading.Event()
        self._is_over = threading.Event()

    def __call__(self, worker: Worker) -> bool:
        """Stop the worker and hold its request up."""
        worker.signal(signal.SIGSTOP)
        self.is_frozen.set()
        self._is_over.wait()
        return True

    def end(self, worker: Worker) -> Ended:
        """Deliver the write, wake the worker up and return how it ended."""
        self._is_over.set()
        worker.signal(signal.SIGCONT)
        return worker.wait()
