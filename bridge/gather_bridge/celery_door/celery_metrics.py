"""The Celery door's Prometheus metrics: the names that dashboards of Celery know, and some of our own.

Labels are names of configured queues and words from closed lists, never names of tasks' senders.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gather_clients.web.metric_series import begin_at_zero

DURATIONS_S = (15, 30, 60, 120, 180, 240, 300, 420, 480, 540, 600, 900, 1800, 3600)
WAITS_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)


class CeleryMetrics:
    """One set of metrics with a registry of its own."""

    def __init__(self, task: str) -> None:
        """`task` is the value of the label `task`."""
        self.registry = CollectorRegistry()
        self._task = task
        self.duration = Histogram(
            "celery_task_duration_seconds",
            "From a run's making to its end.",
            ["task"],
            buckets=DURATIONS_S,
            registry=self.registry,
        ).labels(task=task)
        self._total = Counter(
            "celery_task", "Tasks that ended, by state.", ["task", "status"], registry=self.registry
        )
        self.retries = Counter(
            "celery_task_retry", "Further attempts of departments.", ["task"], registry=self.registry
        ).labels(task=task)
        self.queue_length = Gauge(
            "celery_queue_length", "Messages that wait, others' too.", ["queue"], registry=self.registry
        )
        self.wait = Histogram(
            "celery_queue_wait_time_seconds",
            "From a message's being seen in its queue to its run.",
            ["queue"],
            buckets=WAITS_S,
            registry=self.registry,
        )
        self.active = Gauge("celery_worker_active_tasks", "Runs that have not ended.", registry=self.registry)
        self.slots = Gauge(
            "celery_worker_available_slots", "Runs that may begin now.", registry=self.registry
        )
        self.oldest = Gauge(
            "celery_worker_oldest_task_seconds", "Age of the oldest run at work.", registry=self.registry
        )
        self.leads = Gauge("gather_celery_leads", "1 in the door that takes tasks.", registry=self.registry)
        self.broker_up = Gauge("gather_celery_broker_up", "1 while Redis answers.", registry=self.registry)
        self.droppers = Gauge(
            "gather_celery_dropping_workers",
            "Celery workers on the same queues that do not know the task and drop it.",
            registry=self.registry,
        )
        self.foreign = Counter(
            "gather_celery_foreign_messages",
            "Messages that are no tasks of ours, left in their queue.",
            registry=self.registry,
        )
        self.events_dropped = Counter(
            "gather_celery_events_dropped",
            "Celery events that were not sent because Redis did not take them in time.",
            registry=self.registry,
        )
        self.api_errors = Counter(
            "gather_door_api_errors",
            "Calls of the Kubernetes API without an ordinary answer.",
            ["call", "error"],
            registry=self.registry,
        )
        begin_at_zero(self._total, task=[task], status=("SUCCESS", "FAILURE", "REVOKED"))

    def ended(self, state: str) -> None:
        """Count a task that has ended."""
        self._total.labels(task=self._task, status=state).inc()
