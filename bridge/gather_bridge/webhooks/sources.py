"""Where events for webhooks come from: what the dispatcher asks of the outbox and of Redis alike."""

from typing import Final, Protocol

from gather_clients.event_log import EventLogUnavailable
from gather_clients.outbox.outbox_entries import OutboxUnavailable, Waiting
from gather_clients.stored_event import StoredEvent

UNAVAILABLE: Final = (EventLogUnavailable, OutboxUnavailable)
"""What every call to a source raises while its store does not answer."""
BATCH: Final = 16
"""Events of one run that are read at once: usually 5 KiB, at most 1 MiB."""


class Source(Protocol):
    """Keeps what waits for webhooks. Only one process asks at a time: the one with the lease."""

    def concerns(self, event: StoredEvent) -> bool:
        """Return whether the event's run may have a webhook; no I/O."""

    async def runs(self) -> list[str]:
        """Return the UIDs of the runs that something may wait for."""

    async def waiting(self, run_uid: str) -> list[Waiting]:
        """Return the run's next events, oldest first; none if the webhook has all."""

    async def delivered(self, event: Waiting) -> None:
        """Note that the webhook has the event."""

    async def failed(self, event: Waiting, reason: str) -> None:
        """Note an attempt that failed; the event carries how often, and since when."""

    async def give_up(self, event: Waiting, reason: str, written_before_s: float) -> None:
        """Send what the run had written before then no more, the event at least."""

    async def begin(self) -> None:
        """Forget what was remembered: another process may have gone on meanwhile."""
