"""Runs whose events go through the outbox in MongoDB."""

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from gather_bridge.webhooks.sources import BATCH
from gather_clients.outbox.outbox_entries import Waiting
from gather_clients.stored_event import StoredEvent

if TYPE_CHECKING:  # it loads the MongoDB driver
    from gather_clients.outbox.outbox_store import Outbox

STRANGERS_MAX: Final = 10_000
"""Runs without a webhook that are remembered, so that their events cost no query."""


class OutboxRuns:
    """The outbox as a source; nothing of a run is kept here but whether it has a webhook."""

    def __init__(self, outbox: "Outbox") -> None:
        self._outbox = outbox
        self._strangers: OrderedDict[str, None] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()

    def concerns(self, event: StoredEvent) -> bool:
        """Return True unless nothing was ever found for the run: each event is written here first."""
        return bool(event.run_uid) and event.run_uid not in self._strangers

    async def runs(self) -> list[str]:
        """Return the runs that something waits for."""
        found = await self._outbox.runs()
        for run_uid in found:
            self._recognise(run_uid)
        return found

    async def waiting(self, run_uid: str) -> list[Waiting]:
        """Return the run's next events."""
        found = await self._outbox.waiting(run_uid, BATCH)
        if found:
            self._recognise(run_uid)
        elif run_uid not in self._known:
            _remember(self._strangers, run_uid)
        return found

    async def delivered(self, event: Waiting) -> None:
        """Take the event off what waits."""
        await self._outbox.delivered(event.id)

    async def failed(self, event: Waiting, reason: str) -> None:
        """Keep how often it failed, and since when."""
        await self._outbox.failed(event, reason)

    async def give_up(self, event: Waiting, reason: str, written_before_s: float) -> None:
        """Keep that it was given up; the operator writes it into the run's condition."""
        await self._outbox.give_up(event.run_uid, reason, max(written_before_s, event.written_s))

    async def begin(self) -> None:
        """Make the indexes."""
        self._strangers.clear()
        await self._outbox.prepare()

    def _recognise(self, run_uid: str) -> None:
        self._strangers.pop(run_uid, None)
        _remember(self._known, run_uid)


def _remember(memory: OrderedDict[str, None], run_uid: str) -> None:
    memory[run_uid] = None
    memory.move_to_end(run_uid)
    while len(memory) > STRANGERS_MAX:
        memory.popitem(last=False)
