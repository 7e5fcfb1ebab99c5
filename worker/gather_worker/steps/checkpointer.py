"""The department's checkpoint as MongoDB has it, and the only way to change it.

Each change is applied to the last saved checkpoint and stored whole before the next change is looked at, so
that two steps that run at the same time cannot undo each other.
"""

import asyncio
from collections.abc import Callable

from gather_worker.department.checkpoint import Checkpoint
from gather_worker.llm.ledger import Ledger
from gather_worker.metrics import METER
from gather_worker.services.store import Store

Change = Callable[[Checkpoint], Checkpoint]


class Checkpointer:
    """One worker's hold on its department; `checkpoint` is always the last one saved."""

    def __init__(self, store: Store, fresh: Checkpoint) -> None:
        self._store = store
        self._lock = asyncio.Lock()
        self._last_tried = 0
        self.checkpoint = fresh

    async def take_epoch(self) -> None:
        """Take the department over from whatever worker had it, with what that one left."""
        self.checkpoint = await self._store.take_epoch(self.checkpoint)
        METER.resume(self.checkpoint.meters)

    async def save(self, change: Change) -> None:
        """Store the changed checkpoint, with what was measured until now.

        Raises Fenced if a newer worker has the department, and StoreUnavailable.
        """
        async with self._lock:
            changed = change(self.checkpoint).revised(above=self._last_tried)
            changed = changed.measured(METER.totals(changed.scores))
            # A write that fails may still arrive, so the next one needs a higher revision than that.
            self._last_tried = changed.revision
            await self._store.write(changed)
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
