"""The Celery message that requests a department's evaluation; queued exactly once, whatever crashes.

Celery itself can only promise "at least" or "at most" once: a worker that dies between sending and noting
that it was sent leaves that open. So the checkpoint says that the message is due before it is sent, which
makes it "at least once"; and on Redis one script writes the message and remembers its id, so that sending it
again is a no-op. A Redis that loses its data loses both together, and the message is then queued again. What
is left: a Redis that loses its data after the message was taken and before the checkpoint says "sent". The
second message has the first one's task id, as it has at any other broker, which gets "at least once"; a
consumer that keeps results by task id sees that it was done.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from celery import Celery  # type: ignore[import-untyped]
from kombu.transport import redis as kombu_redis
from kombu.utils.json import dumps

from gather_contracts import names
from gather_contracts.meters import Timer
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.errors import EvaluationRefused
from gather_worker.metrics import metered
from gather_worker.services.evaluation_details import minimal_arguments

SENT_EXPIRY_S: Final = 30 * 24 * 3600
"""Longer than a run stays suspended between a worker's death while sending and its successor."""
RETRY_POLICY: Final = {"max_retries": 2, "interval_start": 0.2, "interval_step": 0.5, "interval_max": 1.0}

PUT_ONCE_SCRIPT: Final = """
if redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[1]) then redis.call('LPUSH', KEYS[2], ARGV[2]) end
"""

CAUSES_MAX: Final = 8
REFUSED: Final[Mapping[str, str]] = {
    "AuthenticationError": "the broker refuses its user or password",
    "AuthenticationWrongNumberOfArgsError": "the broker refuses its user or password",
    "AccessRefused": "the broker refuses its user or password, or the user may not use the queue",
    "NoPermissionError": "its user may not queue messages (ACL)",
    "NotAllowed": "the broker does not have this virtual host, or not for this user",
}
"""Kinds of error of Redis and of AMQP that a person must lift; their modules are not all installed."""

_LOGGER = logging.getLogger(__name__)


class _OnceChannel(kombu_redis.Channel):
    """Puts a message into its queue unless one with its task id was put before."""

    def _put(self, queue: str, message: dict[str, Any], **_: Any) -> None:
        task_id = message["headers"]["id"]
        untyped: Any = self  # as kombu is
        priority = untyped._get_message_priority(message, reverse=False)  # noqa: SLF001
        key = untyped._q_for_pri(queue, priority)  # noqa: SLF001
        text = cast("Any", dumps)(message)
        with untyped.conn_or_acquire() as client:
            client.eval(PUT_ONCE_SCRIPT, 2, names.evaluation_sent(task_id), key, SENT_EXPIRY_S, text)


class OnceTransport(kombu_redis.Transport):
    """kombu's Redis transport with the channel above."""

    Channel = _OnceChannel


@dataclass(frozen=True, slots=True)
class EvaluationRoute:
    """Where evaluations go: the broker's address, and the application's names for task and queue."""

    broker_url: str
    timeout_s: float
    """For one message, connecting included."""
    task: str = names.EVALUATION_TASK
    queue: str = names.EVALUATION_QUEUE
    priority: int = names.EVALUATION_PRIORITY


@metered(Timer.EVALUATION)
async def send_evaluation(
    route: EvaluationRoute, checkpoint: Checkpoint, arguments: Mapping[str, Any] | None = None
) -> bool:
    """Queue the department's evaluation; return False if the broker could not be reached in time.

    `arguments` are the task's; without, those of the requirements. Raises EvaluationRefused.
    """
    try:
        async with asyncio.timeout(route.timeout_s):
            await asyncio.to_thread(
                _send, route, checkpoint, dict(arguments or minimal_arguments(checkpoint))
            )
    except Exception as error:  # noqa: BLE001 - each broker has its own errors, and none may fail the department
        if refusal := refusal_of_broker(error):
            raise EvaluationRefused(refusal) from None
        _LOGGER.error("the evaluation could not be queued: %s", type(error).__name__)  # noqa: TRY400
        return False
    return True


def refusal_of_broker(error: BaseException | None) -> str:
    """Return what a broker does not take, in words; "" for an error that may be gone the next time.

    kombu wraps the transport's own error, sometimes several times.
    """
    for _ in range(CAUSES_MAX):
        if error is None:
            return ""
        if meaning := REFUSED.get(type(error).__name__):
            return f"CELERY_BROKER_URL (REDIS_URL where that is unset): {meaning}"
        error = error.__cause__ or error.__context__
    return ""


def open_celery(broker_url: str, timeout_s: float) -> Celery:
    """Return a Celery application that sends, each wait for the broker at most a third of `timeout_s`."""
    app = Celery(names.WORKER_NAME, broker=broker_url, set_as_current=False)
    timeouts = {"socket_timeout": timeout_s / 3, "socket_connect_timeout": timeout_s / 3}
    app.conf.update(
        broker_transport=OnceTransport if is_redis(broker_url) else None,
        broker_transport_options=timeouts,
        broker_connection_timeout=timeout_s / 3,
        task_ignore_result=True,
    )
    return app


def is_redis(broker_url: str) -> bool:
    """Return whether the broker is a Redis, where a message can be queued exactly once."""
    return broker_url.startswith(("redis://", "rediss://"))


def _send(route: EvaluationRoute, checkpoint: Checkpoint, arguments: dict[str, Any]) -> None:
    app = open_celery(route.broker_url, route.timeout_s)
    try:
        app.send_task(
            route.task,
            kwargs=arguments,
            task_id=names.evaluation_task_id(checkpoint.run_uid, checkpoint.department),
            queue=route.queue,
            priority=route.priority,
            retry=True,
            retry_policy=RETRY_POLICY,
        )
    finally:
        app.close()
