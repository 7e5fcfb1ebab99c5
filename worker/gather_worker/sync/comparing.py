"""Whether the brain has just those notes that were read for the prompts; then MongoDB is not read again."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Protocol

from gather_clients.notes.note import Note
from gather_contracts.brain import StoredNode
from gather_worker.documents.note_node import is_node_of
from gather_worker.errors import BrainUnusable
from gather_worker.services.brain import Brain


class Listed(Protocol):
    """What lists a project's nodes."""

    def pages(self) -> AsyncGenerator[Sequence[StoredNode], None]:
        """Yield them page by page."""


class NodeListing:
    """A project's nodes, of which the brain is asked for the first page at once."""

    def __init__(self, brain: Brain) -> None:
        self._brain = brain
        self._pages = brain.nodes.pages()
        self._first = asyncio.create_task(self._ask())

    async def _ask(self) -> Sequence[StoredNode]:
        # An unavailable brain would be asked for a minute.
        if not await self._brain.is_usable():
            raise BrainUnusable("the brain is unavailable")
        return await anext(self._pages, ())

    async def pages(self) -> AsyncGenerator[Sequence[StoredNode], None]:
        """Yield the pages once; raises BrainUnusable and BrainRejected."""
        yield await self._first
        async for page in self._pages:
            yield page

    async def close(self) -> None:
        """Ask for no more."""
        self._first.cancel()
        await asyncio.gather(self._first, return_exceptions=True)
        await self._pages.aclose()


async def has_just(nodes: Listed, notes: Sequence[Note]) -> bool:
    """Return whether each note, all of a project's, has its node, and each node its note.

    It reads no further than the first that differs: what is to be done then is for the synchronizer, which
    reads both stores itself, as is an id that two documents have. Raises BrainUnusable and BrainRejected.
    """
    missing = {note.id: note for note in notes}
    if len(missing) < len(notes):
        return False
    async with aclosing(nodes.pages()) as pages:
        async for page in pages:
            for node in page:
                note = missing.pop(node.id, None)
                if note is None or not is_node_of(note, node.content_hash, node.properties):
                    return False
    return not missing
