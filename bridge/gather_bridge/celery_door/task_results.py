"""What a task's sender gets, written by Celery's own code: state, result, callbacks, chain, chord.

All of it is synchronous and runs in one thread, so that a task's states are written in their order. Writing
a final state again changes nothing; its callbacks are sent again with the ids that they had.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar, cast

from celery import states  # type: ignore[import-untyped]
from celery.app.task import Context  # type: ignore[import-untyped]
from celery.exceptions import BackendError  # type: ignore[import-untyped]
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from gather_bridge.celery_door.celery_app import GatherRunFailed, open_app
from gather_bridge.celery_door.celery_settings import CelerySettings
from gather_bridge.celery_door.task_queue import BrokerUnavailable
from gather_bridge.task_runs.task_states import TaskFailure

logger = logging.getLogger(__name__)

PROGRESS: Final = "PROGRESS"
UNAVAILABLE: Final = (RedisError, OSError, KombuError, BackendError, TimeoutError)
WRITE_TIMEOUT_S: Final = 30.0
"""A write has several calls, with callbacks one for each; each is bounded by itself."""
T = TypeVar("T")


class ResultRefused(Exception):  # noqa: N818 - a state, said as one
    """A result cannot be written, whenever it is tried: what its sender wants after it is malformed."""


class TaskResults:
    """Writes results, one at a time."""

    def __init__(self, settings: CelerySettings, hostname: str) -> None:
        self._settings = settings
        self._hostname = hostname
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="results")
        self._app: Any = None

    async def states_of(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the states that stand in the result backend; raises BrokerUnavailable, as all calls here."""
        if not ids:
            return {}

        def read(app: Any) -> dict[str, str]:
            found = app.backend.mget([app.backend.get_key_for_task(each) for each in ids])
            return {each: _state_in(meta) for each, meta in zip(ids, found, strict=True)}

        return await self._call(read)

    async def started(self, task_id: str, request: Mapping[str, Any], meta: Mapping[str, Any]) -> None:
        """Say that the task's run exists."""
        await self._store(task_id, request, states.STARTED, meta)

    async def progress(self, task_id: str, request: Mapping[str, Any], meta: Mapping[str, Any]) -> None:
        """Say how far it is."""
        await self._store(task_id, request, PROGRESS, meta)

    async def succeeded(self, task_id: str, request: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """Store the result; callbacks, the chain's next task and the chord's part follow as in a worker."""

        def write(app: Any) -> None:
            context = _context(request, self._hostname)
            _send_what_follows(app, context, task_id, dict(result))
            app.backend.mark_as_done(task_id, dict(result), context, not context.ignore_result)

        await self._call(write)

    async def failed(self, task_id: str, request: Mapping[str, Any], failure: TaskFailure) -> None:
        """Store the failure; errbacks, the chain and the chord follow as in a worker."""
        shown = {"error": failure.error, "message": failure.message, "details": failure.details}

        def write(app: Any) -> None:
            context = _context(request, self._hostname)
            error = GatherRunFailed(shown)
            app.backend.mark_as_failure(task_id, error, None, context, not context.ignore_result)

        await self._call(write)

    async def revoked(self, task_id: str, request: Mapping[str, Any], reason: str) -> None:
        """Say that the task was revoked; a chord that it is a part of learns of it."""

        def write(app: Any) -> None:
            context = _context(request, self._hostname)
            app.backend.mark_as_revoked(task_id, reason, context, not context.ignore_result)

        await self._call(write)

    async def close(self) -> None:
        """Close the connections, once what is being written is."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._drop)
        self._thread.shutdown(wait=False)

    async def _store(
        self, task_id: str, request: Mapping[str, Any], state: str, meta: Mapping[str, Any]
    ) -> None:
        if request.get("ignore_result"):
            return
        context = _context(request, self._hostname)
        await self._call(lambda app: app.backend.store_result(task_id, dict(meta), state, request=context))

    async def _call(self, work: Callable[[Any], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                return await loop.run_in_executor(self._thread, self._work, work)
        except UNAVAILABLE as error:
            raise BrokerUnavailable.because(error) from error
        except Exception as error:
            raise ResultRefused(f"{type(error).__name__}: {error}"[:300]) from error

    def _work(self, work: Callable[[Any], T]) -> T:
        app = self._app or open_app(self._settings)
        self._app = app
        try:
            return work(app)
        except Exception:
            # Whatever is wrong with its connections, the next write begins with new ones.
            self._drop()
            raise

    def _drop(self) -> None:
        """Close the connections, in the thread that opened them."""
        app, self._app = self._app, None
        if app is not None:
            app.backend.disconnect()
            app.close()


def _send_what_follows(app: Any, context: Any, task_id: str, result: dict[str, Any]) -> None:
    """Send callbacks and the chain's next task, before the result is stored: it names them as its children.

    As `celery.app.trace` does, but an unavailable broker is an error here and not the task's failure.
    """
    origin = {"parent_id": task_id, "root_id": context.root_id or task_id}
    for callback in context.callbacks or ():
        context.children.append(app.signature(callback).apply_async((result,), **origin))
    if context.chain:
        following = app.signature(context.chain[-1])
        context.children.append(following.apply_async((result,), chain=context.chain[:-1], **origin))


def _state_in(meta: bytes | None) -> str:
    """Return the state in what is stored; PENDING where there is nothing, or nothing that can be read."""
    try:
        stored = json.loads(meta) if meta else {}
    except (ValueError, RecursionError):
        stored = {}
    return str(stored.get("status") or states.PENDING) if isinstance(stored, dict) else str(states.PENDING)


def _context(request: Mapping[str, Any], hostname: str) -> Any:
    defaults = {"delivery_info": {}, "hostname": hostname, "is_eager": False, "called_directly": False}
    return cast("Any", Context)({**defaults, **request})
