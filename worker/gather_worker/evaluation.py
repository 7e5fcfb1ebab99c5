"""The Celery message that asks for a department's evaluation; sent exactly once, whatever crashes.

Celery itself can only promise "at least" or "at most" once: whoever dies between sending and noting that it
was sent does not know. So on Redis the message and the note of its id are written by one script, and
sending it again is a no-op. Other brokers get the deterministic task id and a note in the checkpoint before
sending.
"""

import asyncio
import logging
from typing import Any, Final, cast

from celery import Celery  # type: ignore[import-untyped]
from kombu.transport import redis as kombu_redis
from kombu.utils.json import dumps

from gather_contracts import names
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.run_document import RunDocument

SENT_EXPIRY_S: Final = 7 * 24 * 3600
"""Longer than any run can last: 32 departments with 11 attempts of an hour are 15 days only in theory."""
RETRY_POLICY: Final = {"max_retries": 2, "interval_start": 0.2, "interval_step": 0.5, "interval_max": 1.0}

PUT_ONCE_SCRIPT: Final = """
if redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[1]) then redis.call('LPUSH', KEYS[2], ARGV[2]) end
"""

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


async def send_evaluation(
    broker_url: str, document: RunDocument, department: ResolvedDepartment, timeout_s: float
) -> bool:
    """Queue `evaluate_department`; return False if the broker could not be reached in time."""
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.to_thread(_send, broker_url, document, department, timeout_s)
    except Exception as error:  # noqa: BLE001 - each broker has its own errors, and none may fail the department
        _LOGGER.error("the evaluation could not be queued: %s", type(error).__name__)  # noqa: TRY400
        return False
    return True


def _send(broker_url: str, document: RunDocument, department: ResolvedDepartment, timeout_s: float) -> None:
    app = Celery(names.WORKER_NAME, broker=broker_url, set_as_current=False)
    timeouts = {"socket_timeout": timeout_s / 3, "socket_connect_timeout": timeout_s / 3}
    app.conf.update(
        broker_transport=OnceTransport if broker_url.startswith(("redis://", "rediss://")) else None,
        broker_transport_options=timeouts,
        broker_connection_timeout=timeout_s / 3,
        task_ignore_result=True,
    )
    try:
        app.send_task(
            names.EVALUATION_TASK,
            kwargs={
                "project_id": document.spec.project_id,
                "department_number": department.code_dep_number,
                "user_id": document.spec.user_id,
                "auto_triggered": True,
            },
            task_id=names.evaluation_task_id(document.run.uid, department.slug),
            queue=names.EVALUATION_QUEUE,
            retry=True,
            retry_policy=RETRY_POLICY,
        )
    finally:
        app.close()
