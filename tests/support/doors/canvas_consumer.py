"""An application's Celery worker, for tests of what follows a task: it notes what its task is given.

Run as `celery --app tests.support.doors.canvas_consumer worker`, with `CELERY_BROKER_URL`. With
`FORWARDS_TO` it knows Gather's task too, as docs/doors.md shows it, and sends it on to that queue.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import redis
from celery import Celery  # type: ignore[import-untyped]
from celery.exceptions import Ignore  # type: ignore[import-untyped]
from celery.signals import worker_ready  # type: ignore[import-untyped]

from dev.paths import ROOT
from dev.service_process import ServiceProcess, script
from gather_contracts import names

NOTED: Final = "canvas:noted"
READY: Final = "canvas:ready:"
NOTE: Final = "note"

URL: Final = os.environ.get("CELERY_BROKER_URL")
# Its tasks are not shared: the process of the tests, which has other applications, imports this module too.
app = Celery("canvas-consumer", broker=URL, backend=URL)
app.conf.worker_hijack_root_logger = False


@app.task(name=NOTE, shared=False)  # type: ignore[untyped-decorator]
def note(*arguments: Any) -> int:
    """Note what is given; return how much that is."""
    with redis.Redis.from_url(os.environ["CELERY_BROKER_URL"]) as client:
        client.rpush(NOTED, json.dumps(arguments))
    return len(arguments)


@app.task(name=names.EVALUATION_TASK, shared=False)  # type: ignore[untyped-decorator]
def evaluate_department(**arguments: Any) -> None:
    """Note the request for an evaluation."""
    note(names.EVALUATION_TASK, arguments)


if "FORWARDS_TO" in os.environ:

    @app.task(name=names.GATHER_TASK, bind=True, shared=False)  # type: ignore[untyped-decorator]
    def to_gather(self: Any, *_: Any, **__: Any) -> None:
        """Send the task on, with its id and all that follows it."""
        self.signature_from_request(queue=os.environ["FORWARDS_TO"]).apply_async()
        raise Ignore


@worker_ready.connect  # type: ignore[untyped-decorator]
def say_ready(sender: Any, **_: object) -> None:
    """Say that this worker takes messages."""
    with redis.Redis.from_url(os.environ["CELERY_BROKER_URL"]) as client:
        client.set(READY + sender.hostname, "1", ex=60)


def canvas_service(
    folder: Path, redis_url: str, queue: str, environment: Mapping[str, str] | None = None
) -> ServiceProcess:
    """Describe such a worker on a queue."""
    node = f"{queue}@test"
    variables = {"CELERY_BROKER_URL": redis_url, "PYTHONPATH": str(ROOT), **(environment or {})}
    options = ["--pool", "solo", "--queues", queue, "--hostname", node, "--loglevel", "WARNING"]
    module = "tests.support.doors.canvas_consumer"
    command = [script("celery"), "--app", module, "worker", *options, "--without-gossip"]

    def is_ready(_: str) -> bool:
        with redis.Redis.from_url(redis_url) as client:
            return bool(client.exists(READY + node))

    return ServiceProcess("Celery", redis_url, folder, command, is_ready, variables)


def noted(redis_url: str) -> list[list[Any]]:
    """Return what workers were given, in order."""
    with redis.Redis.from_url(redis_url) as client:
        texts: Any = client.lrange(NOTED, 0, -1)
    return [json.loads(text) for text in texts]
