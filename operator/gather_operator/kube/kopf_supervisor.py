"""Keeps kopf running on a thread of its own, and starts it again when it ends or falls silent.

On a thread, because a kopf operator that stops cancels every task of its event loop, ours included. Started
again, because a watch of kopf's can die silently: an error event other than 410 ends its task for good.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

import kopf

from gather_clients.backoff import Backoff
from gather_contracts.names import MANAGED_BY
from gather_operator.health import WatchCanary
from gather_operator.kube.kopf_handlers import Deliver, build_registry, build_settings
from gather_operator.metrics import WATCH_RESTARTS

logger = logging.getLogger(__name__)

CHECK_S: Final = 1.0
RESTART_BACKOFF: Final = Backoff(1.0, 15.0)
STOP_S: Final = 10.0
"""For an old kopf to end before the next one starts; two at once would do no harm."""


class KopfSupervisor:
    """Supervises kopf's watch of the GatherRuns of one namespace."""

    def __init__(
        self,
        namespace: str,
        api_timeout_s: float,
        canary: WatchCanary,
        deliver: Deliver,
        is_ours: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """`deliver` is called on the caller's event loop, with runs that are this shard's (`is_ours`)."""
        self._is_ours = is_ours
        self._namespace = namespace
        self._api_timeout_s = api_timeout_s
        self._canary = canary
        self._deliver = deliver

    async def run(self) -> None:
        """Keep kopf running until cancelled."""
        failures = 0
        while True:
            failures = 0 if await self._once() else failures + 1
            WATCH_RESTARTS.inc()
            await asyncio.sleep(RESTART_BACKOFF.wait_s(failures + 1))

    async def _once(self) -> bool:
        """Run one kopf until it ends or falls silent; return whether it had delivered anything."""
        loop = asyncio.get_running_loop()
        stop: Future[None] = Future()
        has_delivered = threading.Event()

        def hand_over(kind: str, body: dict[str, Any]) -> None:
            has_delivered.set()
            if self._is_ours(body["metadata"]["uid"]) and not stop.done():
                loop.call_soon_threadsafe(self._deliver, kind, body)

        ended = asyncio.Event()

        def run_kopf() -> None:
            self._run_kopf(hand_over, stop)
            with contextlib.suppress(RuntimeError):  # our own loop may have ended before
                loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=run_kopf, name="gatherrun-watch", daemon=True).start()
        try:
            while not (ended.is_set() or self._canary.is_silent()):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(CHECK_S):
                        await ended.wait()
        finally:
            stop.set_result(None)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await ended.wait()
        logger.warning("restarting the GatherRun watch", extra={"silent": self._canary.is_silent()})
        self._canary.restarted()
        return has_delivered.is_set()

    def _run_kopf(self, hand_over: Deliver, stop: "Future[None]") -> None:
        try:
            kopf.run(
                registry=build_registry(hand_over),
                settings=build_settings(self._api_timeout_s),
                # kopf's default asks for a user's name, which a pod's uid does not have.
                identity=MANAGED_BY,  # type: ignore[arg-type] # kopf keeps its NewType of str private
                standalone=True,
                namespaces=[self._namespace],
                stop_flag=stop,
            )
        except Exception:
            # Whatever ended it, the supervisor starts another; lists carry the runs meanwhile.
            logger.exception("the GatherRun watch failed")
