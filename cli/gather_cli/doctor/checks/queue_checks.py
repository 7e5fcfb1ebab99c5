"""Whether tasks for the Celery door can be lost before it sees them; pure."""

import json
from collections.abc import Iterator
from typing import Final

from gather_cli.doctor.cluster_facts import Facts
from gather_cli.doctor.diagnosis import Finding, ok, warn
from gather_cli.doctor.installed_release import environment

DOOR: Final = "celery-door"
DEFAULT: Final = "cpu_intensive"
"""Of the chart, for both."""


def check_queues(facts: Facts) -> Iterator[Finding]:
    """Whether the door listens to more than the queue of evaluations, whose consumers know no other task."""
    if facts.release is None or DOOR not in facts.release.rooms or facts.worker_settings is None:
        return
    evaluations = facts.worker_settings.get("GATHER_EVALUATION_QUEUE") or DEFAULT
    try:
        queues = set(json.loads(environment(facts.release.rooms[DOOR])["GATHER_CELERY_QUEUES"]))
    except (KeyError, TypeError, ValueError):
        queues = {DEFAULT}
    if queues == {evaluations}:
        yield warn(
            "Celery queues",
            f"the door takes tasks from {evaluations}, where evaluations go too: a Celery worker that "
            "takes those and does not know automated_gather_creation throws such tasks away",
            "set worker.evaluation.queue to a queue of its own, or doors.celery.queues to [gather] and "
            f"send there, or to [{evaluations}, gather] and let your worker send on (docs/doors.md)",
        )
    else:
        yield ok(
            "Celery queues",
            f"the door listens to {', '.join(sorted(queues))}; evaluations go to {evaluations}",
        )
