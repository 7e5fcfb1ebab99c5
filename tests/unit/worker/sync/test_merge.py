"""What differs between two streams, and that doing it makes both equal."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_contracts.brain import NodeIn
from gather_contracts.text import content_hash
from gather_worker.sync.merge import Difference, Kept, Kind, OutOfOrder, differences

T = TypeVar("T")
PROJECT = "a" * 24
Said = tuple[str, str]
"""A note's content and its summary."""

ids = st.text(st.sampled_from("aZ09é\uffee\U00010348"), min_size=1, max_size=3)
"""Few, so that both sides share some; of all lengths in UTF-8, which is where orders differ."""
sides = st.dictionaries(ids, st.tuples(st.sampled_from(["lamp", "Lamp", "sea"]), st.sampled_from(["", "s"])))


async def stream(elements: Iterable[T]) -> AsyncIterator[T]:
    for each in elements:
        yield each


def note(note_id: str, said: Said) -> NodeIn:
    content, summary = said
    return NodeIn(
        id=note_id, type="GatherItem", content=content, project_id=PROJECT, properties={"summary": summary}
    )


def kept(note_id: str, said: Said, revision: int = 0) -> Kept:
    content, summary = said
    return Kept(note_id, content_hash(content), {"summary": summary}, revision)


def compare(mongodb: Mapping[str, Said], brain: Mapping[str, Said]) -> list[Difference]:
    async def collect() -> list[Difference]:
        notes = stream([note(each, mongodb[each]) for each in sorted(mongodb)])
        nodes = stream([kept(each, brain[each]) for each in sorted(brain)])
        return [found async for found in differences(notes, nodes)]

    return asyncio.run(collect())


@given(sides, sides)
def test_doing_what_differs_makes_both_equal_and_leaves_nothing_to_do(
    mongodb: dict[str, Said], brain: dict[str, Said]
) -> None:
    """Every id is told once, in order; nothing is deleted that has a note, nothing written that is equal."""
    found = compare(mongodb, brain)
    assert [each.id for each in found] == sorted(mongodb.keys() | brain.keys())
    after = dict(brain)
    for each in found:
        if each.kind is Kind.DELETED:
            assert each.id not in mongodb
            del after[each.id]
        elif each.kind is Kind.EQUAL:
            assert brain[each.id] == mongodb[each.id]
        else:
            assert each.note is not None
            assert (each.kind is Kind.NEW) == (each.id not in brain)
            assert brain.get(each.id) != mongodb[each.id]
            after[each.id] = (each.note.content, str(each.note.properties["summary"]))
    assert after == mongodb
    assert {each.kind for each in compare(mongodb, after)} <= {Kind.EQUAL}


@pytest.mark.parametrize("disordered", ["MongoDB", "the brain"])
@pytest.mark.parametrize("names", [("b", "a"), ("a", "a")])
def test_a_stream_out_of_order_ends_it_before_anything_is_concluded(
    disordered: str, names: tuple[str, str]
) -> None:
    """An id that was passed by, or comes twice, would be taken for one that is not there."""

    async def collect() -> list[Difference]:
        good = [("c", ("lamp", ""))]
        bad = [(name, ("lamp", "")) for name in names]
        notes, nodes = (bad, good) if disordered == "MongoDB" else (good, bad)
        compared = differences(
            stream([note(*each) for each in notes]), stream([kept(*each) for each in nodes])
        )
        return [found async for found in compared]

    with pytest.raises(OutOfOrder, match=disordered):
        asyncio.run(collect())


def test_the_streams_are_read_no_further_than_they_are_compared() -> None:
    """Memory is that of two elements, however long the streams are."""
    read = {"MongoDB": 0, "the brain": 0}

    async def counted(name: str, elements: Iterable[T]) -> AsyncIterator[T]:
        for each in elements:
            read[name] += 1
            yield each

    async def first_three() -> None:
        names = [f"{n:04}" for n in range(1000)]
        notes = counted("MongoDB", (note(each, ("lamp", "")) for each in names))
        nodes = counted("the brain", (kept(each, ("lamp", "")) for each in names))
        compared = differences(notes, nodes)
        for _ in range(3):
            await anext(compared)

    asyncio.run(first_three())
    assert max(read.values()) <= 4
