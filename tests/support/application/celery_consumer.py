"""The application's side of evaluations, for tests: a Celery worker that records each evaluation.

Run as `celery --app tests.support.application.celery_consumer worker`, with `CELERY_BROKER_URL`.
"""

import json
import os
from pathlib import Path
from typing import Any, Final

import redis
from celery import Celery  # type: ignore[import-untyped]

from dev.paths import ROOT
from dev.service_process import ServiceProcess, script
from gather_contracts import names
from tests.support.application.evaluation_record import READY_KEY, RECEIVED_KEY, record

app = Celery("celery-consumer", broker=os.environ.get("CELERY_BROKER_URL"))
app.conf.worker_hijack_root_logger = False


@app.task(name=names.EVALUATION_TASK, bind=True)  # type: ignore[untyped-decorator]
def evaluate_department(
    self: Any, *, project_id: str, department_number: int, user_id: str, auto_triggered: bool
) -> None:
    """Record the task's id and arguments."""
    arguments = {
        "project_id": project_id,
        "department_number": department_number,
        "user_id": user_id,
        "auto_triggered": auto_triggered,
    }
    record(self.request.id, arguments)


SAMPLE_TASK: Final = "app.tasks.evaluation_tasks.evaluate_department"
"""The name under which the application below registers its task."""
TAKES_MORE: Final = "project_id, department_number, user_id, auto_triggered, **more"
"""The requirements' arguments, and any others."""
TAKES_ITS_OWN: Final = (
    "project_id, department_slug, department_number, gather_data, previous_evaluations, threshold, "
    "callback_url, metadata"
)
"""The arguments of the application's own evaluation, and no other."""
SAMPLE: Final = {
    "app/__init__.py": "",
    "app/celery_app.py": """
import os
from celery import Celery

celery_app = Celery("app", broker=os.environ["CELERY_BROKER_URL"], include=["app.tasks.evaluation_tasks"])
celery_app.conf.worker_hijack_root_logger = False
""",
    "app/tasks/__init__.py": "",
    "app/tasks/evaluation_tasks.py": """
from app.celery_app import celery_app
from tests.support.application.evaluation_record import record


@celery_app.task
def evaluate_department(TAKES):
    arguments = locals()
    record(evaluate_department.request.id, {**arguments.pop("more", {}), **arguments})
""",
    "app/tasks/automated_gather_tasks.py": """
from app.tasks.evaluation_tasks import evaluate_department  # as the requirements' sample imports it
""",
}
"""An application laid out as the requirements show it: its task has no `name=`."""


def celery_service(
    folder: Path,
    redis_url: str,
    *,
    is_sample: bool = False,
    queue: str = names.EVALUATION_QUEUE,
    takes: str = TAKES_MORE,
) -> ServiceProcess:
    """Describe a Celery worker on the evaluations' queue: this module's, or that of the sample's layout.

    `takes` are the parameters of the sample's task.
    """
    environment = {"CELERY_BROKER_URL": redis_url, "PYTHONPATH": str(ROOT)}
    application = "tests.support.application.celery_consumer"
    if is_sample:
        for name, text in SAMPLE.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text.replace("TAKES", takes), encoding="utf-8")
        environment["PYTHONPATH"] = f"{folder}:{ROOT}"
        application = "app.celery_app:celery_app"
    options = ["--pool", "solo", "--queues", queue, "--loglevel", "WARNING"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    command = [script("celery"), "--app", application, "worker", *options, *quiet]
    return ServiceProcess("Celery", redis_url, folder, command, _is_ready, environment)


def received(redis_url: str) -> list[dict[str, Any]]:
    """Return what the Celery worker was asked for, in order."""
    with redis.Redis.from_url(redis_url) as client:
        texts: Any = client.lrange(RECEIVED_KEY, 0, -1)
    return [json.loads(text) for text in texts]


def forget(redis_url: str) -> None:
    """Forget what was received, and that a worker was ready."""
    with redis.Redis.from_url(redis_url) as client:
        client.delete(RECEIVED_KEY, READY_KEY)


def _is_ready(redis_url: str) -> bool:
    with redis.Redis.from_url(redis_url) as client:
        return bool(client.exists(READY_KEY))
