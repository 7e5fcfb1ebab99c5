"""Where a task stands among the others, and how long tasks take; from what the watch brings, pure."""

from collections import deque
from datetime import datetime
from typing import Final

from gather_bridge.task_runs.task_states import Task, TaskState

USUAL_S: Final = 600
"""Until a task has ended here: the time-out that the requirements give a task."""
REMEMBERED: Final = 20
"""The last so many tasks that were completed say how long the next will take."""


class TaskLine:
    """The tasks that wait, and how long the last ones took."""

    def __init__(self) -> None:
        self._queued: dict[str, str] = {}
        self._ended: set[str] = set()
        self._durations_s: deque[float] = deque(maxlen=REMEMBERED)

    def note(self, task: Task) -> None:
        """Take in a task that is new or has changed."""
        if task.state is TaskState.QUEUED:
            self._queued[task.run_uid] = task.created_at
            return
        self._queued.pop(task.run_uid, None)
        if task.state is TaskState.COMPLETED and task.run_uid not in self._ended:
            self._ended.add(task.run_uid)
            self._durations_s.append(_took_s(task))

    def leave(self, task: Task) -> None:
        """Forget a task that is gone."""
        self._queued.pop(task.run_uid, None)
        self._ended.discard(task.run_uid)

    def position(self, task: Task) -> int:
        """Return 1 for the next to begin, 0 for one that has begun."""
        if task.state is not TaskState.QUEUED:
            return 0
        mine = (task.created_at, task.run_uid)
        return 1 + sum((at, uid) < mine for uid, at in self._queued.items() if uid != task.run_uid)

    def usual_s(self) -> int:
        """Return how many seconds a task takes from its submission."""
        return round(sum(self._durations_s) / len(self._durations_s)) if self._durations_s else USUAL_S


def _took_s(task: Task) -> float:
    if task.ended_at is None:
        return 0.0
    begun, ended = datetime.fromisoformat(task.created_at), datetime.fromisoformat(task.ended_at)
    return max((ended - begun).total_seconds(), 1.0)
