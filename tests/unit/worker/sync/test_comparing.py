"""Whether the brain has just what was read: never said of anything that the synchronizer would have to do."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_clients.notes.note import Note, Origin
from gather_contracts.brain import CONTENT_MAX, ContextResponse, StoredNode
from gather_contracts.text import content_hash
from gather_worker.documents.note_node import node_of
from gather_worker.services.brain_nodes import BrainNodes
from gather_worker.sync.comparing import agrees, has_just

PROJECT = "a" * 24
ids = st.text(st.sampled_from("ab"), min_size=1, max_size=2)
sides = st.dictionaries(ids, st.sampled_from(["lamp", "Lamp", "sea"]))


class FakeNodes:
    """The brain's nodes, in pages of two, as the worker would have written them."""

    def __init__(self, *notes: Note) -> None:
        self.notes = sorted(notes, key=lambda note: note.id)
        self.pages_read = 0

    async def pages(self) -> AsyncGenerator[Sequence[StoredNode], None]:
        for start in range(0, len(self.notes), 2):
            self.pages_read += 1
            yield [_stored(note) for note in self.notes[start : start + 2]]


def _stored(note: Note) -> StoredNode:
    node = node_of(note)
    return StoredNode(
        id=note.id, type=node.type, content_hash=content_hash(node.content), created_at="", updated_at="",
        properties=dict(node.properties), revision=node.revision,
    )  # fmt: skip


def note(note_id: str, content: str = "The keeper.") -> Note:
    origin = Origin(run="r", task_id="t", iteration=2, model="m", quality_score=71.5)
    return Note(note_id, content, PROJECT, "story", "In short.", "Why.", "Story", origin=origin)


async def has(brain: FakeNodes, mongodb: Iterable[Note]) -> bool:
    return await has_just(cast(BrainNodes, brain), list(mongodb))


@given(sides, sides)
def test_it_says_so_only_where_nothing_is_to_be_done(mongodb: dict[str, str], brain: dict[str, str]) -> None:
    """Whatever is new, changed or deleted."""
    nodes = FakeNodes(*(note(*each) for each in brain.items()))
    assert asyncio.run(has(nodes, (note(*each) for each in mongodb.items()))) is (mongodb == brain)


@pytest.mark.parametrize(
    "changed",
    [
        {"content": "The keeper!"}, {"summary": ""}, {"context": ""}, {"department": ""},
        {"department_name": "S"}, {"user_id": "u"}, {"is_automated": True}, {"origin": None},
        {"origin": Origin(run="r", task_id="t", iteration=2, model="m")},
    ],
    ids=lambda changed: next(iter(changed)),
)  # fmt: skip
async def test_whatever_a_node_says_of_its_note_is_compared(changed: dict[str, object]) -> None:
    """As the synchronizer compares it."""
    assert await has(FakeNodes(note("a")), [note("a")])
    assert not await has(FakeNodes(note("a")), [replace(note("a"), **changed)])  # type: ignore[arg-type]


async def test_of_a_long_note_the_part_counts_that_the_brain_has() -> None:
    """It was given no more."""
    long = note("a", "語" * (CONTENT_MAX + 1))
    assert await has(FakeNodes(long), [long])


async def test_two_documents_of_one_id_are_for_the_synchronizer() -> None:
    """It knows which of them is the note."""
    assert not await has(FakeNodes(note("a")), [note("a"), note("a")])


async def test_nothing_is_read_beyond_the_first_difference() -> None:
    """The synchronizer reads it all again."""
    nodes = FakeNodes(*(note(f"{n:03}") for n in range(100)))
    assert not await has(nodes, [note("other")])
    assert nodes.pages_read == 1


def offered(**departments: list[str]) -> ContextResponse:
    """Return a context that shows the first two of each department's nodes."""
    context = {
        slug: {
            "nodeCount": len(names), "qualityScore": 80, "keyThemes": ["sea"],
            "topNodes": [{"nodeId": name, "content": "Old words.", "relevance": 0.5} for name in names[:2]],
        }
        for slug, names in departments.items()
    }  # fmt: skip
    timing = {"query_time_ms": 0, "aggregation_time_ms": 0, "total_time_ms": 0}
    return ContextResponse.model_validate(
        {
            "projectId": PROJECT, "targetDepartment": "sound", "context": context, "aggregatedSummary": "",
            "relevantNodes": [], "totalNodesAggregated": 3, "timing": timing,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("stored", "is_equal"),
    [("abc", True), ("ab", False), ("abcd", False), ("bcd", False), ("", False)],
    ids=["the same", "one was deleted", "one was added", "a deleted one is shown", "the wrong project"],
)
def test_a_context_agrees_that_is_of_just_the_notes(stored: str, is_equal: bool) -> None:
    """Whatever their words are by now: the prompt shows MongoDB's."""
    notes = [note(name, "New words.") for name in stored]
    assert agrees(offered(story=["a", "b", "c"]), notes, ["story"]) is is_equal


def test_without_a_context_nothing_may_be_missing() -> None:
    """The brain has nothing of the project yet, or was unavailable."""
    assert agrees(None, [], ["story"])
    assert agrees(None, [note("a")], [])
    assert not agrees(None, [note("a")], ["story"])
