"""Brings the brain to what MongoDB says: reads both side by side, writes what differs, deletes what is gone.

Everything can be interrupted and done again, by several at once: what is equal is passed over, and a write or
a deletion that is done twice changes nothing.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from gather_clients.notes.note_reading import Unread
from gather_contracts.brain import DELETED_IDS_MAX, NODES_PER_BATCH_MAX, NodeIn
from gather_worker.documents.note_node import revision_over
from gather_worker.services.brain_nodes import BrainNodes
from gather_worker.services.note_pages import NotePages
from gather_worker.sync.merge import Difference, Kept, Kind, differences
from gather_worker.sync.streams import Requests, reading_ahead

AT_ONCE: Final = 2
"""Requests under way: while the brain writes one batch, it embeds the next."""
BATCH_BYTES: Final = 1_000_000
"""Of texts in a batch; the brain takes bodies of 2 MiB, and quotation marks and line ends take two bytes."""
SHOWN_IDS: Final = 100
"""Of each kind, for people to look at."""


@dataclass(slots=True)
class Progress:
    """How far it has come."""

    is_dry: bool = False
    """Nothing is written: the numbers say what would be."""
    is_stranded: bool = False
    """The brain has nodes and MongoDB not even a collection: it may be the wrong one, and nothing is
    deleted."""
    counts: Counter[Kind] = field(default_factory=Counter)
    """What was done, or passed over as equal."""
    ids: dict[Kind, list[str]] = field(default_factory=dict)
    """The first of what differs."""
    spared: int = 0
    """Nodes whose note came after it was looked for."""
    unread: Mapping[Unread, int] = field(default_factory=dict)
    """Documents that are no notes, by reason."""
    is_complete: bool = False

    @property
    def looked_at(self) -> int:
        """Return how many notes and nodes are done with."""
        return self.counts.total() + self.spared

    def done(self, kind: Kind, ids: Sequence[str]) -> None:
        """Count what was done."""
        self.counts[kind] += len(ids)
        if kind is not Kind.EQUAL:
            shown = self.ids.setdefault(kind, [])
            shown += ids[: SHOWN_IDS - len(shown)]


class Synchronizer:
    """One synchronisation of one project; `progress` says at any time how far it has come."""

    def __init__(self, notes: NotePages, nodes: BrainNodes, *, is_dry: bool = False) -> None:
        self._notes = notes
        self._nodes = nodes
        self.progress = Progress(is_dry, unread=notes.unread)
        self._to_write: list[tuple[Kind, NodeIn]] = []
        self._bytes = 0
        self._to_delete: list[str] = []

    async def run(self) -> None:
        """Make the brain equal.

        Raises BrainUnusable, StoreUnavailable, BrainRejected, and OutOfOrder where the two cannot be
        compared; what was done until then stays, and the next synchronisation goes on.
        """
        if not await self._notes.has_collection():
            self.progress.is_stranded = await self._has_nodes()
            self.progress.is_complete = not self.progress.is_stranded
            return
        async with (
            Requests(AT_ONCE) as requests,
            reading_ahead(self._notes.pages()) as notes,
            reading_ahead(self._kept()) as nodes,
        ):
            async for found in differences(notes, nodes):
                await self._take(found, requests)
            await self._begin_write(requests)
            await self._begin_deletion(requests)
        self.progress.is_complete = True

    async def _has_nodes(self) -> bool:
        async with aclosing(self._nodes.pages()) as pages:
            return bool(await anext(pages, ()))

    async def _kept(self) -> AsyncIterator[Sequence[Kept]]:
        async for page in self._nodes.pages():
            yield [Kept(node.id, node.content_hash, node.properties, node.revision) for node in page]

    async def _take(self, found: Difference, requests: Requests) -> None:
        if found.kind is Kind.EQUAL or self.progress.is_dry:
            self.progress.done(found.kind, [found.id])
        elif found.note is None:
            self._to_delete.append(found.id)
            if len(self._to_delete) == DELETED_IDS_MAX:
                await self._begin_deletion(requests)
        else:
            size = _bytes_of(found.note)
            if self._bytes + size > BATCH_BYTES:
                await self._begin_write(requests)
            self._to_write.append((found.kind, _over(found.note, found.revision)))
            self._bytes += size
            if len(self._to_write) == NODES_PER_BATCH_MAX:
                await self._begin_write(requests)

    async def _begin_write(self, requests: Requests) -> None:
        batch, self._to_write, self._bytes = self._to_write, [], 0
        if batch:
            await requests.begin(self._write(batch))

    async def _write(self, batch: Sequence[tuple[Kind, NodeIn]]) -> None:
        """Write nodes, and take back those whose notes people deleted while they waited to be written."""
        refused = frozenset(await self._nodes.write([node for _, node in batch]))
        self.progress.done(Kind.REFUSED, sorted(refused))
        written = [(kind, str(node.id)) for kind, node in batch if node.id not in refused]
        present = await self._notes.present([each for _, each in written])
        if gone := [each for _, each in written if each not in present]:
            await self._nodes.delete(gone)
        for kind in (Kind.NEW, Kind.CHANGED):
            self.progress.done(kind, [each for k, each in written if k is kind and each in present])

    async def _begin_deletion(self, requests: Requests) -> None:
        ids, self._to_delete = self._to_delete, []
        if ids:
            await requests.begin(self._delete(ids))

    async def _delete(self, ids: Sequence[str]) -> None:
        """Delete nodes whose notes are still not there; a worker may have written both since."""
        present = await self._notes.present(ids)
        gone = [each for each in ids if each not in present]
        self.progress.spared += len(ids) - len(gone)
        if gone:
            await self._nodes.delete(gone)
            self.progress.done(Kind.DELETED, gone)


def _over(note: NodeIn, listed: int | None) -> NodeIn:
    """Return the node as it is written: a new one as any worker would, another so that it surely counts.

    It has the higher of both revisions, so that a late write of an older text stays out and the next score
    comes in.
    """
    if listed is None:
        return note
    return note.model_copy(update={"revision": revision_over(note.revision, listed)})


def _bytes_of(node: NodeIn) -> int:
    texts = [node.content, *(value for value in node.properties.values() if isinstance(value, str))]
    return sum(len(text.encode()) for text in texts)
