"""The department's checkpoint as MongoDB has it, and the only way to change it.

Each change is applied to the last saved checkpoint and stored whole before the next change is looked at, so
that two steps that run at the same time cannot undo each other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gather_contracts.items import GatherItem
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.errors import StoreUnavailable
from gather_worker.llm.ledger import Ledger
from gather_worker.metrics import METER
from gather_worker.services.store import Store

Change = Callable[[Checkpoint], Checkpoint]


class CheckpointKeeper(Protocol):
    """What a step needs of it."""

    @property
    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint as it was last kept."""

    async def save(self, change: Change) -> None:
        """Keep the changed checkpoint."""


@dataclass
class InMemoryCheckpointer:
    """A checkpoint that ends with its process: for commands that are not part of a run."""

    checkpoint: Checkpoint

    async def save(self, change: Change) -> None:
        """Change the checkpoint."""
        self.checkpoint = change(self.checkpoint)


class Checkpointer:
    """One worker's hold on its department; `checkpoint` is always the last one saved."""

    def __init__(self, store: Store, fresh: Checkpoint) -> None:
        self._store = store
        self._lock = asyncio.Lock()
        self._last_tried = 0
        self._unsure: StoreUnavailable | None = None
        """Set when it is not known whether notes were written and struck off."""
        self.checkpoint = fresh

    async def take_epoch(self) -> None:
        """Take the department over from whatever worker had it, with what that one left."""
        self.checkpoint = await self._store.take_epoch(self.checkpoint)
        METER.resume(self.checkpoint.meters)

    async def save(self, change: Change) -> None:
        """Store the changed checkpoint, with what was measured until now.

        Raises Fenced if a newer worker has the department, and StoreUnavailable.
        """
        await self._save(change, self._store.write)

    async def publish(self, items: Sequence[GatherItem]) -> None:
        """Write pending notes into `gather` and strike them off, in one step where MongoDB can.

        Raises as `save` does, and WriteRefused. After StoreUnavailable this worker writes no more: what it
        knows may have the notes pending though they are written, and a person may have deleted them.
        """
        ids = {item.id for item in items}
        try:
            await self._save(
                lambda checkpoint: checkpoint.saved(ids), lambda changed: self._store.publish(changed, items)
            )
        except StoreUnavailable as error:
            self._unsure = error
            raise

    async def _save(self, change: Change, write: Callable[[Checkpoint], Awaitable[None]]) -> None:
        async with self._lock:
            if self._unsure is not None:
                raise StoreUnavailable(str(self._unsure))
            changed = change(self.checkpoint).revised(above=self._last_tried)
            changed = changed.measured(METER.totals(changed.scores))
            # A write that fails may still arrive, so the next one needs a higher revision than that.
            self._last_tried = changed.revision
            await write(changed)
            self.checkpoint = changed

    async def save_meters(self) -> None:
        """Store what was measured since the last write, for an attempt that broke off."""
        if self.checkpoint.epoch:
            await self.save(lambda checkpoint: checkpoint)

    # --- the ledger, as the model's budget wants it kept

    @property
    def ledger(self) -> Ledger:
        """Return the department's ledger."""
        return self.checkpoint.ledger

    async def save_ledger(self, change: Callable[[Ledger], Ledger]) -> None:
        """Change the ledger and store it; raises as `save` does."""
        await self.save(lambda checkpoint: checkpoint.charged(change(checkpoint.ledger)))

    async def other_ledgers(self) -> list[Ledger]:
        """Return the ledgers of the run's other departments, as they are now."""
        return await self._store.other_ledgers(self.checkpoint)
