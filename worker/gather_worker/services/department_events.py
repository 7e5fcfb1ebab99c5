"""The events of one department. Without Redis live progress waits; a webhook has its own way to them."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from gather_clients.events.event_queue import EventQueue, Log
from gather_contracts import events, names
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.result import StopReason
from gather_contracts.run_document import RunDocument
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.services.outbox_events import OutboxEvents


class EventPublisher:
    """Publishes one department's events; each has a key, so that a successor does not publish it twice."""

    def __init__(
        self,
        log: Log,
        document: RunDocument,
        department: ResolvedDepartment,
        allowance: int,
        outbox: OutboxEvents | None = None,
    ) -> None:
        """`outbox`: where the events of a run with a webhook go as well."""
        self._outbox = outbox
        self._queue = EventQueue(log)
        self._document = document
        self._department = department
        self._allowance = allowance
        self._checkpoint_id = names.checkpoint_id(document.run.uid, department.slug)

    async def close(self) -> None:
        """Send what still waits, for a second at most, and close the connections."""
        await self._queue.close()

    def end(self) -> None:
        """Send nothing more."""
        self._queue.end()

    async def started(self, attempt: int) -> None:
        """A worker has begun or taken up the department; `attempt`, its epoch, counts from 1.

        From then on an event of an earlier worker, which a slow network has kept back, comes too late.
        """
        self._queue.write_as(self._checkpoint_id, attempt)
        event = events.DepartmentStarted(
            **self._common(),
            department_name=self._department.name,
            threshold=self._department.threshold,
            model=self._department.model,
            attempt=attempt,
        )
        await self._send(event, f"started/{attempt}")

    async def has_run_ended(self) -> bool:
        """Return whether the operator has said that the run has ended; False where nobody knows."""
        run = self._document.run
        return await self._queue.knows(self._document.spec.project_id, names.run_end(run.uid))

    async def deduplicating(self, iteration: int) -> None:
        """New notes are being compared."""
        await self._send(events.Deduplicating(**self._common()), f"deduplicating/{iteration}")

    async def iterated(self, checkpoint: Checkpoint) -> None:
        """The checkpoint's last iteration is saved and scored."""
        event = events.IterationComplete(
            **self._common(),
            department_name=self._department.name,
            iteration=checkpoint.iterations,
            total_iterations=self._allowance,
            quality_score=checkpoint.quality_score,
            items_created=checkpoint.items_created,
            threshold=self._department.threshold,
            cost_usd=round(checkpoint.ledger.total_usd, 6),
            tokens=checkpoint.ledger.tokens,
        )
        await self._send(event, f"iteration/{checkpoint.iterations}")

    async def finished(self, checkpoint: Checkpoint) -> None:
        """The department's loop has ended by itself."""
        if checkpoint.finished is StopReason.ITERATIONS_USED:
            used_up = events.MaxIterationsReached(
                **self._common(),
                final_quality_score=checkpoint.quality_score,
                threshold=self._department.threshold,
            )
            await self._send(used_up, "max-iterations")
        complete = events.DepartmentComplete(
            **self._common(),
            department_name=self._department.name,
            quality_score=checkpoint.quality_score,
            iterations_used=checkpoint.iterations,
        )
        await self._send(complete, "complete")

    def _common(self) -> dict[str, Any]:
        return {
            "project_id": self._document.spec.project_id,
            "run": self._document.run.name,
            "run_uid": self._document.run.uid,
            "at": events.timestamp(datetime.now(UTC)),
            "department": self._department.slug,
        }

    async def _send(self, event: events.Event, what: str) -> None:
        key = f"{self._checkpoint_id}/{what}"
        event = events.identified(event, key)
        if self._outbox is not None:
            # First, since what is heard of in Redis is looked for there.
            await self._outbox.write(event)
        self._queue.put(event, key)
        await asyncio.sleep(0)  # so that it can leave before the next work that does not wait
