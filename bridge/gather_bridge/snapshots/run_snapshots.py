"""A run's snapshot: what the operator wrote, what the log says up to a place, and the newest notes.

The operator's part is read before the log's end is looked up, so that it holds nothing that is not either
before that place or, taken in once more, without effect.
"""

import logging
from collections.abc import Awaitable, Sequence
from typing import Any, Final, Protocol, TypeVar

from gather_bridge.live.replay import Position
from gather_bridge.snapshots.folded_logs import FoldedLogs
from gather_clients.event_log import EventLogUnavailable
from gather_clients.snapshots.checkpoint_readings import Measured
from gather_clients.snapshots.opening import why_unavailable
from gather_clients.snapshots.redis_snapshots import SAME_NAME_MAX, RunPlace
from gather_contracts.snapshots.run_state import RunState

logger = logging.getLogger(__name__)

T = TypeVar("T")

NOTES_MAX: Final = 20
LISTED_MAX: Final = 50


class Written(Protocol):
    """Where the operator's snapshots are."""

    async def newest(self, project_id: str, limit: int, run: str | None = None) -> list[RunState]:
        """Return a project's newest snapshots, the newest first."""

    async def place(self, namespace: str, run: str) -> RunPlace | None:
        """Return the newest run of that name in that namespace."""


class ProjectDatabases(Written, Protocol):
    """What MongoDB has besides."""

    async def measured(self, project_id: str, run_uid: str) -> dict[str, Measured]:
        """Return what the checkpoints have measured, by department."""

    async def notes(self, project_id: str, run: str, limit: int) -> list[dict[str, Any]]:
        """Return a run's newest notes."""


class RunSnapshots:
    """Puts snapshots together. What is unavailable is left out, and `complete` says so."""

    def __init__(self, logs: FoldedLogs, written: Written, databases: ProjectDatabases | None) -> None:
        """`databases` is None where MongoDB is not configured."""
        self._logs = logs
        self._written = written
        self._databases = databases

    async def place(self, namespace: str, run: str) -> RunPlace | None:
        """Return the newest run of that name in that namespace, None if there is none.

        Raises EventLogUnavailable if that cannot be known.
        """
        attempt = _Attempt()
        for store in self._stores():
            if (found := await attempt.of(store.place(namespace, run), None)) is not None:
                return found
        if not attempt.is_complete:
            raise EventLogUnavailable("runs cannot be read now")
        return None

    async def of_run(self, project_id: str, run: str, run_uid: str | None = None) -> dict[str, Any] | None:
        """Return the newest run of that name, None if there is none; raises EventLogUnavailable.

        `run_uid` names one of those that share the name, in other namespaces too.
        """
        attempt = _Attempt()
        states = await self._known(project_id, attempt, 1 if run_uid is None else SAME_NAME_MAX, run)
        position, folded = await self._log(project_id, attempt)
        if run_uid is not None:
            states = [state for state in states if state.run_uid == run_uid]
            folded = {uid: state for uid, state in folded.items() if uid == run_uid}
        state = _of_name(states, folded, run)
        if state is None:
            if not attempt.is_complete:
                raise EventLogUnavailable("runs cannot be read now")
            return None
        notes: list[dict[str, Any]] | None = None
        measured: dict[str, Measured] = {}
        if self._databases is not None:
            measured = await attempt.of(self._databases.measured(project_id, state.run_uid), {})
            state = _with_curves(state, measured)
            notes = await attempt.of(self._databases.notes(project_id, state.run_uid, NOTES_MAX), None)
        document = state.document()
        for department in document["departments"]:
            found = measured.get(department["slug"])
            department["duplicates_dropped"] = found and found.duplicates_dropped
            department["gaps"] = found and found.gaps
        return {**_place(position, attempt), **document, "notes": notes}

    async def of_project(self, project_id: str) -> dict[str, Any]:
        """Return the newest runs without their curves; raises EventLogUnavailable if nothing can be read."""
        attempt = _Attempt()
        states = await self._known(project_id, attempt, LISTED_MAX)
        position, folded = await self._log(project_id, attempt)
        if not attempt.is_complete and not states and not folded:
            raise EventLogUnavailable("runs cannot be read now")
        runs = {state.run_uid: state for state in states}
        for uid, state in folded.items():
            runs[uid] = runs[uid].joined(state) if uid in runs else state
        newest = sorted(runs.values(), key=_began_at, reverse=True)[:LISTED_MAX]
        return {**_place(position, attempt), "runs": [_line(state) for state in newest]}

    async def _known(
        self, project_id: str, attempt: "_Attempt", limit: int, run: str | None = None
    ) -> list[RunState]:
        """Return what the operator wrote, of each run what both stores know."""
        found: dict[str, RunState] = {}
        for store in self._stores():
            for state in await attempt.of(store.newest(project_id, limit, run), []):
                known = found.get(state.run_uid)
                found[state.run_uid] = state if known is None else known.joined(state)
        return list(found.values())

    def _stores(self) -> list[Written]:
        return [self._written, *((self._databases,) if self._databases else ())]

    async def _log(self, project_id: str, attempt: "_Attempt") -> tuple[Position, dict[str, RunState]]:
        return await attempt.of(self._logs.read(project_id), (Position(), {}))


class _Attempt:
    """Whether everything could be read."""

    def __init__(self) -> None:
        self.is_complete = True

    async def of(self, reading: Awaitable[T], otherwise: T) -> T:
        try:
            return await reading
        except Exception as error:  # noqa: BLE001 - each part is optional, and its driver's errors differ
            self.is_complete = False
            logger.info("part of a snapshot is unavailable", extra={"error": why_unavailable(error)})
            return otherwise


def _of_name(states: Sequence[RunState], folded: dict[str, RunState], run: str) -> RunState | None:
    """Return the newest run of a name: of those that differ, the one that began last."""
    runs = {state.run_uid: state for state in folded.values() if state.run == run}
    for state in states:
        runs[state.run_uid] = state.joined(runs[state.run_uid]) if state.run_uid in runs else state
    return max(runs.values(), key=_began_at, default=None)


def _began_at(state: RunState) -> str:
    """Return when it began or, without departments, ended; one that has not begun was made last."""
    return state.started_at or state.ended_at or "~"


def _with_curves(state: RunState, measured: dict[str, Measured]) -> RunState:
    departments = {
        slug: d.joined(d.model_copy(update={"curve": measured[slug].curve})) if slug in measured else d
        for slug, d in state.departments.items()
    }
    return state.model_copy(update={"departments": departments})


def _place(position: Position, attempt: _Attempt) -> dict[str, Any]:
    return {"epoch": position.epoch, "offset": position.offset, "complete": attempt.is_complete}


def _line(state: RunState) -> dict[str, Any]:
    return {name: value for name, value in state.document().items() if name != "departments"}
