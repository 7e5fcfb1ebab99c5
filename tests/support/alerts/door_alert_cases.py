"""When the alerts on the doors fire, and when not; played on the doors' own metrics."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from gather_bridge.celery_door.celery_metrics import CeleryMetrics
from gather_bridge.http_door.door_metrics import DoorMetrics
from gather_contracts import names as contract_names
from tests.support.alerts.recorded_series import Case, Play, Series, nothing, recorded

SUBMIT: Final = "/api/v1/tasks/submit"
QUEUE: Final = {"queue": "gather", "namespace": "film"}
LISTS: Final = {"call": "watch gatherruns", "error": "503", "namespace": "film"}
Record = Callable[[Sequence[str]], list[Series]]
Happens = Callable[[Any], None]


def door(*plays: tuple[float, Happens], watches: bool = True) -> Record:
    """Return what records an HTTP door."""

    def record(names: Sequence[str]) -> list[Series]:
        metrics = DoorMetrics()
        metrics.watch_up.set(watches)
        return recorded(metrics.registry, names, _of(metrics, plays))

    return record


def celery(*plays: tuple[float, Happens], leads: float = 1, broker_up: float = 1) -> Record:
    """Return what records a Celery door."""

    def record(names: Sequence[str]) -> list[Series]:
        metrics = CeleryMetrics(contract_names.GATHER_TASK)
        metrics.leads.set(leads)
        metrics.broker_up.set(broker_up)
        return recorded(metrics.registry, names, _of(metrics, plays))

    return record


def _of(metrics: object, plays: Sequence[tuple[float, Happens]]) -> list[Play]:
    return [
        (minutes, nothing if happens is quiet else partial(happens, metrics)) for minutes, happens in plays
    ]


def quiet(_: object) -> None:
    """Happens where nothing happens."""


def answers(*counts: tuple[int, str, int]) -> Happens:
    """Return what lets a door answer: so many, of which endpoint, with which status."""

    def happens(metrics: DoorMetrics) -> None:
        for count, endpoint, status in counts:
            metrics.requests.labels(endpoint=endpoint, method="POST", status=str(status)).inc(count)

    return happens


def api_errors(call: str) -> Happens:
    """Return what lets a call of the Kubernetes API fail."""
    return lambda metrics: metrics.api_errors.labels(call=call, error="503").inc()


def callback(result: str) -> Happens:
    """Return what concludes a callback."""
    return lambda metrics: metrics.callbacks.labels(result=result).inc()


def tasks(succeeded: int, failed: int = 0, retries: int = 0) -> Happens:
    """Return what lets so many tasks of the Celery door end."""

    def happens(metrics: CeleryMetrics) -> None:
        for state, count in (("SUCCESS", succeeded), ("FAILURE", failed)):
            for _ in range(count):
                metrics.ended(state)
        metrics.retries.inc(retries)

    return happens


def waits(count: int, seconds: float) -> Happens:
    """Return what lets so many tasks wait."""

    def happens(metrics: CeleryMetrics) -> None:
        for _ in range(count):
            metrics.wait.labels(queue="gather").observe(seconds)

    return happens


def waiting(count: int) -> Happens:
    """Return what lets so many messages wait."""
    return lambda metrics: metrics.queue_length.labels(queue="gather").set(count)


def gauge(name: str, value: float) -> Happens:
    """Return what sets a gauge."""
    return lambda metrics: getattr(metrics, name).set(value)


def once(happens: Happens) -> list[tuple[float, Happens]]:
    """Return half an hour of nothing, then this once, then time for an alert that waits for 10 minutes."""
    return [(30, quiet), (0.5, happens), (12, quiet)]


HTTP_DOOR_CASES: Final = [
    Case("GatherDoorWatchDown", True, "down", door((10, quiet), watches=False)),
    Case("GatherDoorWatchDown", False, "up", door((10, quiet))),
    Case("GatherDoorFails", True, "11 % fail", door((30, answers((89, SUBMIT, 201), (11, SUBMIT, 503))))),
    Case("GatherDoorFails", False, "10 % fail", door((30, answers((90, SUBMIT, 201), (10, SUBMIT, 503))))),
    Case(
        "GatherDoorFails", False, "one of two requests of a night",
        door(*once(answers((1, SUBMIT, 201), (1, SUBMIT, 500)))),
    ),
    Case(
        "GatherDoorFails", False, "a probe that says that it is not ready",
        door((30, answers((10, SUBMIT, 201), (10, "/readyz", 503)))),
    ),
    Case(
        "GatherDoorFails", True, "strangers hide no failures",
        door((30, answers((8, SUBMIT, 201), (2, SUBMIT, 500), (900, SUBMIT, 401), (900, SUBMIT, 429)))),
    ),
    Case("GatherDoorApiErrors", True, "a watch fails", door((20, api_errors("watch gatherruns"))), LISTS),
    Case(
        "GatherDoorApiErrors", False, "five within ten minutes",
        door(*[(0.5, api_errors("watch gatherruns")), (1.5, quiet)] * 10),
    ),
    Case("GatherDoorApiErrors", False, "tasks' data is refused", door((20, api_errors("create gatherrun")))),
    Case(
        "GatherCallbacksGivenUp", True, "the first one ever",
        door((5, quiet), (0.5, callback("given-up")), (5, quiet)),
    ),
    Case(
        "GatherCallbacksGivenUp", False, "all are delivered",
        door((10, callback("delivered"))),
    ),
]  # fmt: skip
CELERY_CASES: Final = [
    Case("GatherCeleryTasksFail", True, "two of ten", celery(*once(tasks(8, 2)))),
    Case("GatherCeleryTasksFail", False, "one of ten", celery(*once(tasks(9, 1)))),
    Case("GatherCeleryTasksFail", False, "one of two", celery(*once(tasks(1, 1)))),
    Case("GatherCeleryQueueLong", True, "51 wait", celery((8, waiting(51))), QUEUE),
    Case("GatherCeleryQueueLong", False, "50 wait", celery((8, waiting(50)))),
    Case("GatherCeleryNobodyTakes", True, "not scraped", lambda _: [], {}),
    Case("GatherCeleryNobodyTakes", True, "none leads", celery((5, quiet), leads=0)),
    Case("GatherCeleryNobodyTakes", False, "one leads", celery((5, quiet))),
    Case("GatherCeleryBrokerLost", True, "lost", celery((3, quiet), broker_up=0)),
    Case("GatherCeleryBrokerLost", False, "there", celery((3, quiet))),
    Case("GatherCeleryTasksDropped", True, "a worker drops them", celery((5, gauge("droppers", 1)))),
    Case("GatherCeleryTasksDropped", False, "none does", celery((5, gauge("droppers", 0)))),
    Case("GatherCeleryTaskSlow", True, "481 s old", celery((1, gauge("oldest", 481)))),
    Case("GatherCeleryTaskSlow", False, "480 s old", celery((1, gauge("oldest", 480)))),
    Case("GatherCeleryRetries", True, "two in twenty tasks", celery(*once(tasks(20, retries=2)))),
    Case("GatherCeleryRetries", False, "one in twenty tasks", celery(*once(tasks(20, retries=1)))),
    Case("GatherCeleryRetries", False, "one in a single task", celery(*once(tasks(1, retries=1)))),
    Case("GatherCeleryWaits", True, "all wait for longer than a minute", celery((20, waits(1, 61))), QUEUE),
    Case("GatherCeleryWaits", False, "all wait for a minute", celery((20, waits(1, 60)))),
    Case("GatherCeleryWaits", False, "a single one has waited", celery((0.5, waits(1, 600)), (9, quiet))),
]  # fmt: skip
DOOR_CASES: Final = [*HTTP_DOOR_CASES, *CELERY_CASES]
