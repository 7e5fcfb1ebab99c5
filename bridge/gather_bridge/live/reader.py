"""The one Redis reader of this process: hands every event on, and comes back whenever Redis does."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from gather_bridge.live.hub import Hub
from gather_bridge.metrics import Metrics
from gather_clients.backoff import Backoff
from gather_clients.event_log import EventLog, EventLogUnavailable
from gather_clients.stored_event import StoredEvent

logger = logging.getLogger(__name__)

BACKOFF: Final = Backoff(0.1, 2.0)
CHECK_INTERVAL_S: Final = 15.0
"""How often every feed is compared with the log; pub/sub itself promises nothing."""


class Reader:
    """Reads the channels of all projects."""

    def __init__(
        self,
        log: EventLog,
        hub: Hub,
        metrics: Metrics,
        listeners: Sequence[Callable[[StoredEvent], None]] = (),
    ) -> None:
        """`listeners` hear every event, also of projects without sockets; they must not wait."""
        self._log = log
        self._hub = hub
        self._metrics = metrics
        self._listeners = listeners
        self._is_live = False
        self.subscriptions = 0
        """How often it began to hear; what was sent before each may have been missed."""
        self._trouble = ""

    @property
    def trouble(self) -> str:
        """Return why it is not live."""
        return "" if self._is_live else self._trouble

    @property
    def is_live(self) -> bool:
        """Return whether events arrive as they happen."""
        return self._is_live

    async def run(self) -> None:
        """Read until cancelled."""
        failures = 0
        while True:
            try:
                await self._read()
            except EventLogUnavailable as error:
                if self._is_live:
                    failures = 0
                self._explain(str(error)[:300])
            except Exception:
                # Nothing that comes from Redis may end the process's only reader.
                logger.exception("reading the event log failed unexpectedly; beginning again")
            self._set_live(False)
            failures += 1
            await asyncio.sleep(BACKOFF.wait_s(failures))

    async def check(self) -> None:
        """Compare the feeds with the log from time to time, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            self._hub.check_all()

    async def _read(self) -> None:
        async with self._log.subscribed() as events:
            self._set_live(True)
            self.subscriptions += 1
            logger.info("event log heard")
            self._hub.check_all()
            async for event in events:
                self._metrics.events.inc()
                self._hub.accept(event)
                for listener in self._listeners:
                    listener(event)
                # A burst that came in one piece must not keep the sockets waiting until its end.
                await asyncio.sleep(0)

    def _explain(self, trouble: str) -> None:
        """Say why events do not arrive, once for each reason."""
        if self._is_live or trouble != self._trouble:
            logger.warning("event log unavailable", extra={"error": trouble})
        self._trouble = trouble

    def _set_live(self, is_live: bool) -> None:
        self._is_live = is_live
        self._metrics.event_log_up.set(is_live)
