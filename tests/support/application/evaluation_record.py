"""What Celery workers of tests were asked for, kept in the broker's Redis; this module registers no task."""

import json
import os
from typing import Any, Final

import redis
from celery.signals import worker_ready  # type: ignore[import-untyped]

READY_KEY: Final = "celery-consumer:ready"
RECEIVED_KEY: Final = "celery-consumer:received"


def _redis() -> redis.Redis:
    return redis.Redis.from_url(os.environ["CELERY_BROKER_URL"])


def record(task_id: str, arguments: dict[str, Any]) -> None:
    """Record what a task was asked for."""
    with _redis() as client:
        client.rpush(RECEIVED_KEY, json.dumps({"id": task_id, "kwargs": arguments}))


@worker_ready.connect  # type: ignore[untyped-decorator]
def _note_ready(**_: Any) -> None:
    with _redis() as client:
        client.set(READY_KEY, "1")
