"""The brain follows MongoDB while a run goes on: people edit and delete notes, also those that it made.

It never makes a department fail, and never takes long: what is left goes on at the next department's start.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from gather_clients.background_tasks import end_tasks
from gather_clients.brain_errors import BrainRejected, BrainUnauthorized
from gather_clients.notes.note import Note
from gather_worker.attempt import Attempt
from gather_worker.errors import BrainUnusable, DeadlineNear, StoreUnavailable, Terminated, WriteRefused
from gather_worker.services.brain import Brain
from gather_worker.services.note_pages import NotePages
from gather_worker.services.store import Store
from gather_worker.sync.comparing import has_just
from gather_worker.sync.merge import Kind, OutOfOrder
from gather_worker.sync.synchronizer import Progress, Synchronizer

TIME_SHARE: Final = 0.1
"""Of what is left of the attempt."""
TIME_MAX_S: Final = 60.0
TIME_MIN_S: Final = 1.0
"""With less nothing is begun."""

WRITTEN: Final = (Kind.NEW, Kind.CHANGED, Kind.DELETED)

_LOGGER = logging.getLogger(__name__)


class BrainFollower:
    """Makes the brain equal to MongoDB as far as a department's time allows."""

    def __init__(self, store: Store, brain: Brain, attempt: Attempt) -> None:
        self._store = store
        self._brain = brain
        self._attempt = attempt
        self._begun: asyncio.Task[bool] | None = None

    def begin(self, read: Sequence[Note] = ()) -> None:
        """Follow from now on, beside other work; `settle` waits for it."""
        self._begun = asyncio.create_task(self.follow(read))

    async def settle(self) -> bool:
        """Return whether what was begun has written or deleted something; raises as `follow`."""
        begun, self._begun = self._begun, None
        return begun is not None and await begun

    async def close(self) -> None:
        """End what was begun; the next department goes on with it."""
        begun, self._begun = self._begun, None
        if begun is not None:
            await end_tasks([begun])

    async def follow(self, read: Sequence[Note] = ()) -> bool:
        """Do it once and return whether something was written or deleted.

        `read` are all notes of the project as they were read a moment ago, if they are known: mostly the
        brain has just those. Raises Terminated and DeadlineNear alone.
        """
        limit_s = min(TIME_MAX_S, TIME_SHARE * self._attempt.remaining_s)
        if limit_s < TIME_MIN_S or not await self._brain.is_usable():
            return False
        synchronizer = Synchronizer(NotePages(self._store), self._brain.nodes)
        reason = f"not within {limit_s:.0f} s"
        try:
            async with asyncio.timeout(limit_s):
                if read and await has_just(self._brain.nodes, read):
                    return False
                await self._attempt.race(synchronizer.run())
        except TimeoutError:
            pass
        except (Terminated, DeadlineNear):
            raise
        except BrainUnauthorized as error:
            reason = f"BRAIN_SERVICE_API_KEY: {error}"
        except (BrainUnusable, BrainRejected, OutOfOrder, StoreUnavailable, WriteRefused) as error:
            reason = str(error)
        except Exception as error:  # noqa: BLE001 - nothing optional is fatal; its text may hold a note
            reason = type(error).__name__
        _tell(synchronizer.progress, reason)
        return any(synchronizer.progress.counts[kind] for kind in WRITTEN)


def _tell(progress: Progress, reason: str) -> None:
    done = {kind: progress.counts[kind] for kind in (*WRITTEN, Kind.REFUSED)}
    counted = ", ".join(f"{count} {kind}" for kind, count in done.items() if count)
    if progress.is_complete and counted:
        _LOGGER.info("the brain follows MongoDB: %s", counted)
    elif progress.is_stranded:
        _LOGGER.error(
            "the brain has notes of this project and MongoDB not even a collection: none is deleted"
        )
    elif not progress.is_complete:
        _LOGGER.warning(
            "the brain does not follow MongoDB yet, the next department goes on: %s (%s)",
            reason,
            counted or "0",
        )
