"""Logs of a run's worker pods: one after the other, or followed until the run has ended."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gather_cli.cluster.runs import LOST_S, Run, Runs
from gather_cli.errors import CliError, Forbidden, NotFound, Unreachable
from gather_contracts import names

CONTAINER: Final = "worker"
LOOK_S: Final = 2.0
"""Between two looks for pods that are new."""
FINAL: Final = frozenset({"Succeeded", "Failed", "Cancelled"})
LAST_LINES_S: Final = 10.0
"""For lines that are still under way when the run has ended."""
Show = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class LogAsk:
    """Which lines are wanted."""

    departments: frozenset[str]
    """Empty: all."""
    tail: int | None = None
    since_s: int | None = None
    is_previous: bool = False

    def query(self, *, is_following: bool) -> dict[str, str | int]:
        """Return it as the API server reads it."""
        query: dict[str, str | int] = {"container": CONTAINER}
        if self.tail is not None:
            query["tailLines"] = self.tail
        if self.since_s is not None:
            query["sinceSeconds"] = self.since_s
        if self.is_previous:
            query["previous"] = "true"
        if is_following:
            query["follow"] = "true"
        return query

    def wants(self, pod: Mapping[str, Any]) -> bool:
        """Return whether the pod's lines are wanted."""
        return not self.departments or department_of(pod) in self.departments


def department_of(pod: Mapping[str, Any]) -> str:
    """Return the slug of a worker pod's department."""
    return str((pod["metadata"].get("labels") or {}).get(names.LABEL_DEPARTMENT, ""))


def read_all(runs: Runs, run: Run, ask: LogAsk, show: Show) -> int:
    """Show the logs that there are, the oldest pod's first; return how many lines; raises CliError."""
    count = 0
    for pod in runs.pods(run):
        if not ask.wants(pod):
            continue
        try:
            for line in runs.server.lines(
                _path(runs, pod), ask.query(is_following=False), runs.server.timeout_s
            ):
                show(department_of(pod), _text(line))
                count += 1
        except Forbidden as error:
            raise Forbidden(f"{error}; ask for the right to get pods/log") from error
        except CliError:
            continue  # it has not begun, or is gone
    return count


def follow_all(runs: Runs, run: Run, ask: LogAsk, show: Show) -> int:
    """Show lines as they come, of each pod from its start on, until the run has ended; return how many.

    Raises CliError, after two minutes without the API server too.
    """
    followers, lost_s = _Followers(runs, ask, show), 0.0
    while True:
        try:
            has_ended = _has_ended(runs, run)
            followers.take_up(runs.pods(run))
            lost_s = 0.0
        except Unreachable:
            has_ended, lost_s = False, lost_s or time.monotonic()
            if time.monotonic() - lost_s > LOST_S:
                raise
        followers.check()
        if has_ended:
            return followers.finish()
        time.sleep(LOOK_S)


class _Followers:
    """A thread for each pod; their lines are shown one at a time."""

    def __init__(self, runs: Runs, ask: LogAsk, show: Show) -> None:
        self._runs, self._ask, self._show = runs, ask, show
        self._lock, self._count = threading.Lock(), 0
        self._threads: dict[str, threading.Thread] = {}
        self._errors: list[BaseException] = []

    def take_up(self, pods: list[Run]) -> None:
        """Follow pods that are new and have begun."""
        for pod in pods:
            uid = pod["metadata"]["uid"]
            if uid in self._threads or not self._ask.wants(pod) or not _has_begun(pod):
                continue
            twin = Runs(self._runs.server.twin(), self._runs.namespace)
            arguments = (twin, pod, self._ask, self._shown, self._errors)
            self._threads[uid] = threading.Thread(target=_follow, args=arguments, daemon=True)
            self._threads[uid].start()

    def check(self) -> None:
        """Raise what a thread has met."""
        if self._errors:
            raise self._errors[0]

    def finish(self) -> int:
        """Wait for the last lines, and return how many there were."""
        deadline_s = time.monotonic() + LAST_LINES_S
        for thread in self._threads.values():
            thread.join(max(0.0, deadline_s - time.monotonic()))
        self.check()
        return self._count

    def _shown(self, slug: str, line: str) -> None:
        with self._lock:
            self._count += 1
            self._show(slug, line)


def _follow(runs: Runs, pod: Mapping[str, Any], ask: LogAsk, show: Show, errors: list[BaseException]) -> None:
    """Show one pod's lines to its end; a stream that breaks goes on after the last line that was shown."""
    last, slug, path = "", department_of(pod), _path(runs, pod)
    query = {**ask.query(is_following=True), "timestamps": "true"}
    try:
        while True:
            for raw in runs.server.lines(path, query, None):
                stamp, _, line = _text(raw).partition(" ")
                if stamp > last:
                    last = stamp
                    show(slug, line)
            if _container_has_ended(runs, pod):
                return
            query.pop("tailLines", None)
            query.pop("sinceSeconds", None)
            if last:
                query["sinceTime"] = last.split(".")[0] + "Z"
            time.sleep(LOOK_S)
    except NotFound:
        return
    except BaseException as error:  # noqa: BLE001 - told by the thread that started this one
        errors.append(error)
    finally:
        runs.server.close()


def _has_ended(runs: Runs, run: Run) -> bool:
    try:
        now = runs.server.get(f"{runs.base}/{run['metadata']['name']}")
    except NotFound:
        return True
    return now["metadata"]["uid"] != run["metadata"]["uid"] or (now.get("status") or {}).get("phase") in FINAL


def _has_begun(pod: Mapping[str, Any]) -> bool:
    """Return whether its worker has written, or may: before that the API server refuses to follow."""
    return any(
        container.get("name") == CONTAINER and {"running", "terminated"} & set(container.get("state") or {})
        for container in pod.get("status", {}).get("containerStatuses") or ()
    )


def _container_has_ended(runs: Runs, pod: Mapping[str, Any]) -> bool:
    now = runs.server.get(f"/api/v1/namespaces/{runs.namespace}/pods/{pod['metadata']['name']}")
    return any(
        container.get("name") == CONTAINER and "terminated" in (container.get("state") or {})
        for container in now.get("status", {}).get("containerStatuses") or ()
    )


def _path(runs: Runs, pod: Mapping[str, Any]) -> str:
    return f"/api/v1/namespaces/{runs.namespace}/pods/{pod['metadata']['name']}/log"


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r\n")
