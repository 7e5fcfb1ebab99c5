"""Celery's broker: reach, and whether a running worker on the queue knows the task of evaluations.

Workers are asked by broadcast and answer within a time limit; one with a pool of one process that is busy
does not answer, so silence is a warning.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gather_contracts import names
from gather_worker.check.findings import Finding, lacking, ok, skip, warn
from gather_worker.services.evaluation import open_celery, refusal_of_broker

NAME: Final = "Celery broker"
TASK: Final = "Evaluation task"
INSPECT_S: Final = 2.0
CONNECT_S: Final = 3.0
NAMED_MAX: Final = 5


@dataclass(slots=True)
class BrokerFacts:
    """What the broker and the workers said."""

    problem: str | None = None
    silence: str | None = None
    """Why workers could not be asked."""
    registered: dict[str, list[str]] = field(default_factory=dict)
    """The tasks that each worker knows."""
    queues: dict[str, list[str]] = field(default_factory=dict)
    """The queues that each worker takes from."""


async def check_broker(broker_url: str, task: str, queue: str, *, is_wanted: bool) -> list[Finding]:
    """Return what was found; `is_wanted` is whether runs send evaluations."""
    if not is_wanted:
        return [skip(NAME, "the run asks for no evaluations (enableAutoEvaluation: false)")]
    facts = await _gather(broker_url)
    return broker_findings(facts, task, queue)


async def _gather(broker_url: str) -> BrokerFacts:
    facts = BrokerFacts()
    try:
        await asyncio.to_thread(_connect, broker_url)
    except Exception as error:  # noqa: BLE001 - each broker has its own errors
        facts.problem = refusal_of_broker(error) or type(error).__name__
        return facts
    try:
        registered, queues = await asyncio.to_thread(_inspect, broker_url)
    except Exception as error:  # noqa: BLE001 - likewise; a user may publish and not listen
        facts.silence = type(error).__name__
        return facts
    facts.registered = {worker: [_first_word(task) for task in tasks] for worker, tasks in registered.items()}
    facts.queues = {worker: [str(q.get("name")) for q in each] for worker, each in queues.items()}
    return facts


def _connect(broker_url: str) -> None:
    app = open_celery(broker_url, CONNECT_S)
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_S)
    finally:
        app.close()


def _inspect(broker_url: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return each worker's tasks and queues; one after the other, since Celery shares its connections."""
    app = open_celery(broker_url, 3 * CONNECT_S)
    try:
        inspect = app.control.inspect(timeout=INSPECT_S)
        registered = inspect.registered() or inspect.registered()  # a machine may be busy
        return _lists(registered), _lists(inspect.active_queues() if registered else None)
    finally:
        app.close()


def _lists(answers: Any) -> dict[str, list[Any]]:
    entries = answers.items() if isinstance(answers, Mapping) else ()
    return {worker: each for worker, each in entries if isinstance(each, list)}


def _first_word(task: object) -> str:
    return str(task).split(" ", 1)[0]


def broker_findings(facts: BrokerFacts, task: str, queue: str) -> list[Finding]:
    """Return what the facts mean."""
    if facts.problem:
        text = f"the broker cannot be used ({facts.problem}); evaluations wait in the checkpoint"
        return [lacking(NAME, text, "mend CELERY_BROKER_URL, or REDIS_URL where that is unset")]
    return [ok(NAME, "reached"), _task_finding(_without_doors(facts), task, queue)]


def _without_doors(facts: BrokerFacts) -> BrokerFacts:
    """Gather's own doors answer as workers do, but drop nothing."""
    registered, queues = (
        {worker: found for worker, found in each.items() if not worker.startswith(f"{names.CELERY_DOOR}@")}
        for each in (facts.registered, facts.queues)
    )
    return replace(facts, registered=registered, queues=queues)


def _task_finding(facts: BrokerFacts, task: str, queue: str) -> Finding:
    if facts.silence:
        fix = "let the user listen to celery.pidbox, or look with celery inspect"
        return warn(TASK, f"workers cannot be asked ({facts.silence})", fix)
    if not facts.registered and not facts.queues:
        text = f"no Celery worker answered within {2 * INSPECT_S:g} s: evaluations wait in {queue}"
        return warn(TASK, text, "start the application's workers, if none runs")
    on_queue = [worker for worker, queues in facts.queues.items() if queue in queues]
    knowing = [worker for worker in on_queue if task in facts.registered.get(worker, [])]
    if not on_queue:
        seen = sorted({each for queues in facts.queues.values() for each in queues})[:NAMED_MAX]
        text = f"no running worker takes from the queue {queue}; there are {', '.join(seen) or 'none'}"
        return lacking(TASK, text, f"start one with --queues {queue}, or set GATHER_EVALUATION_QUEUE")
    if not knowing:
        return _unknown_task(facts, on_queue, task)
    if len(knowing) < len(on_queue):
        strangers = ", ".join(sorted(set(on_queue) - set(knowing))[:NAMED_MAX])
        text = f"of the workers on {queue} these do not know {task} and drop it: {strangers}"
        return lacking(TASK, text, "give the task a queue of its own, or these workers the task")
    return ok(TASK, f"known to all workers on the queue ({len(knowing)} on {queue}): {task}")


def _unknown_task(facts: BrokerFacts, workers: list[str], task: str) -> Finding:
    known = {name for worker in workers for name in facts.registered.get(worker, [])}
    last = task.rsplit(".", 1)[-1]
    similar = sorted(name for name in known if name.rsplit(".", 1)[-1] == last)
    others = sorted(name for name in known if not name.startswith("celery."))[:NAMED_MAX]
    fix = f"set GATHER_EVALUATION_TASK to one of theirs: {', '.join(others) or 'they have none'}"
    if similar:
        fix = f"set GATHER_EVALUATION_TASK to {similar[0]}"
    return lacking(TASK, f"no worker on the queue knows {task}: it would drop the message", fix)
