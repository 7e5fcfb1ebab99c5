"""What is sent to the brain, in what portions, and what is asked again before and after."""

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from typing import cast

import pytest

from gather_clients.notes.note_reading import Unread
from gather_contracts.brain import NodeIn, StoredNode
from gather_contracts.text import content_hash
from gather_worker.services.brain_nodes import BrainNodes
from gather_worker.services.note_pages import NotePages
from gather_worker.sync.merge import Kind
from gather_worker.sync.synchronizer import Progress, Synchronizer


def note(name: str, content: str = "The keeper.") -> NodeIn:
    return NodeIn(id=name, type="GatherItem", content=content, project_id="a" * 24)


class FakeNotes:
    """MongoDB's notes; `late` ones come after they were listed, `leaving` ones go."""

    def __init__(self, *notes: NodeIn, late: Sequence[str] = (), leaving: Sequence[str] = ()) -> None:
        self.notes = {str(each.id): each for each in notes}
        self.late, self.leaving = set(late), set(leaving)
        self.unread: Counter[Unread] = Counter()
        self.exists = True

    async def has_collection(self) -> bool:
        return self.exists

    async def pages(self) -> AsyncGenerator[Sequence[NodeIn], None]:
        for name in sorted(self.notes):
            yield [self.notes[name]]

    async def present(self, ids: Sequence[str]) -> frozenset[str]:
        return frozenset(ids) & ((self.notes.keys() | self.late) - self.leaving)


class FakeNodes:
    """The brain's nodes, and what was sent."""

    def __init__(self, *notes: NodeIn, refuses: Sequence[str] = ()) -> None:
        self.nodes = {str(each.id): each for each in notes}
        self.refuses = set(refuses)
        self.writes: list[list[str]] = []
        self.deletions: list[list[str]] = []

    async def pages(self) -> AsyncGenerator[Sequence[StoredNode], None]:
        for name, node in sorted(self.nodes.items()):
            yield [
                StoredNode(
                    id=name, type=node.type, content_hash=content_hash(node.content), created_at="",
                    properties=dict(node.properties), revision=node.revision, updated_at="",
                )
            ]  # fmt: skip

    async def write(self, nodes: Sequence[NodeIn]) -> Sequence[str]:
        self.writes.append([str(each.id) for each in nodes])
        self.nodes |= {str(each.id): each for each in nodes if each.id not in self.refuses}
        return [str(each.id) for each in nodes if each.id in self.refuses]

    async def delete(self, ids: Sequence[str]) -> int:
        self.deletions.append(list(ids))
        return len([self.nodes.pop(each, None) for each in ids])


async def synchronised(notes: FakeNotes, nodes: FakeNodes, *, is_dry: bool = False) -> Progress:
    made = Synchronizer(cast(NotePages, notes), cast(BrainNodes, nodes), is_dry=is_dry)
    await made.run()
    return made.progress


async def test_writes_and_deletions_are_sent_in_portions_that_the_brain_takes() -> None:
    """50 nodes and a megabyte; 100 ids."""
    many = [note(f"{n:04}") for n in range(120)]
    long = [note(f"l{n:03}", "語" * 8000) for n in range(60)]
    nodes = FakeNodes(*(note(f"gone{n:03}") for n in range(230)))
    progress = await synchronised(FakeNotes(*many, *long), nodes)
    assert sorted(len(each) for each in nodes.deletions) == [30, 100, 100]
    assert max(len(each) for each in nodes.writes) == 50
    assert sum(len(each) for each in nodes.writes) == 180
    assert all(sum(each.startswith("l") for each in batch) * 24_000 <= 1_000_000 for batch in nodes.writes)
    assert (progress.counts[Kind.NEW], progress.counts[Kind.DELETED]) == (180, 230)
    assert progress.is_complete
    assert len(progress.ids[Kind.NEW]) == 100


async def test_a_note_that_came_meanwhile_keeps_its_node() -> None:
    """A worker wrote both after MongoDB was read."""
    nodes = FakeNodes(note("new"), note("old"))
    progress = await synchronised(FakeNotes(late=["new"]), nodes)
    assert nodes.nodes.keys() == {"new"}
    assert (progress.spared, progress.counts[Kind.DELETED]) == (1, 1)


async def test_a_note_that_went_while_its_node_waited_to_be_written_has_none_in_the_end() -> None:
    """With a limit of the brain the wait can be long."""
    nodes = FakeNodes(note("edited", "Before."))
    notes = FakeNotes(note("stays"), note("goes"), note("edited"), leaving=["goes", "edited"])
    progress = await synchronised(notes, nodes)
    assert nodes.nodes.keys() == {"stays"}
    assert (progress.counts[Kind.NEW], progress.counts[Kind.CHANGED]) == (1, 0)


async def test_a_changed_node_gets_a_revision_above_its_own_and_a_new_one_its_notes() -> None:
    """So that it surely counts, and the next score does too."""
    nodes = FakeNodes(note("a", "Before.").model_copy(update={"revision": 7}))
    await synchronised(FakeNotes(note("a"), note("b").model_copy(update={"revision": 3})), nodes)
    assert {name: node.revision for name, node in nodes.nodes.items()} == {"a": 8, "b": 3}


async def test_a_note_that_the_brain_refuses_is_counted_and_ends_nothing() -> None:
    """The others are written."""
    nodes = FakeNodes(refuses=["b"])
    progress = await synchronised(FakeNotes(note("a"), note("b"), note("c")), nodes)
    assert nodes.nodes.keys() == {"a", "c"}
    assert (progress.counts[Kind.NEW], progress.ids[Kind.REFUSED]) == (2, ["b"])


@pytest.mark.parametrize("exists", [True, False])
async def test_nothing_is_sent_in_a_dry_run_or_without_the_collection(exists: bool) -> None:
    """The counts say what would be done, or that nothing may be concluded."""
    nodes, notes = FakeNodes(note("gone")), FakeNotes(note("a"))
    notes.exists = exists
    progress = await synchronised(notes, nodes, is_dry=True)
    assert (nodes.writes, nodes.deletions) == ([], [])
    assert progress.is_stranded is not exists
    assert progress.counts == ({Kind.NEW: 1, Kind.DELETED: 1} if exists else {})
