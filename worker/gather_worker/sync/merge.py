"""What differs between MongoDB and the brain, from two streams in the order of their ids; pure.

Nothing is kept of either stream but its last element, so that a project may be as large as it likes.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from gather_contracts.brain import NodeIn
from gather_contracts.text import content_hash


class HasId(Protocol):
    """An element of a stream."""

    @property
    def id(self) -> str | None:
        """Return its id."""


StreamedT = TypeVar("StreamedT", bound=HasId)


@dataclass(frozen=True, slots=True)
class Kept:
    """A node as the brain has it."""

    id: str
    content_hash: str
    """SHA-256 of the content in UTF-8."""
    properties: Mapping[str, Any]
    revision: int


class Kind(StrEnum):
    """What a difference is, seen from MongoDB."""

    NEW = "new"
    CHANGED = "changed"
    DELETED = "deleted"
    EQUAL = "equal"
    REFUSED = "refused"
    """New or changed, and the brain does not take it for what it is."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One id of either side."""

    kind: Kind
    id: str
    note: NodeIn | None = None
    """As MongoDB has it; None where it has none."""
    revision: int | None = None
    """Of the brain's node; None where it has none."""


class OutOfOrder(Exception):  # noqa: N818 - named for what it is
    """A stream is not in the order of its ids, so that nothing may be concluded from an id's absence."""


async def differences(notes: AsyncIterator[NodeIn], nodes: AsyncIterator[Kept]) -> AsyncIterator[Difference]:
    """Yield every id of the two streams once, in order; raises OutOfOrder before it concludes anything wrong.

    Ids are ordered by code points, as both stores and Python order texts.
    """
    left, right = _in_order(notes, "MongoDB"), _in_order(nodes, "the brain")
    note, node = await anext(left, None), await anext(right, None)
    while note is not None or node is not None:
        if note is not None and (node is None or str(note.id) < node.id):
            yield Difference(Kind.NEW, str(note.id), note)
            note = await anext(left, None)
        elif node is not None and (note is None or node.id < str(note.id)):
            yield Difference(Kind.DELETED, node.id, revision=node.revision)
            node = await anext(right, None)
        elif note is not None and node is not None:
            kind = Kind.EQUAL if is_equal(note, node) else Kind.CHANGED
            yield Difference(kind, node.id, note, node.revision)
            note, node = await anext(left, None), await anext(right, None)


def is_equal(note: NodeIn, node: Kept) -> bool:
    """Return whether the node says what the note says, and the same of it."""
    return node.properties == note.properties and node.content_hash == content_hash(note.content)


async def _in_order(stream: AsyncIterator[StreamedT], name: str) -> AsyncIterator[StreamedT]:
    last: str | None = None
    async for each in stream:
        if last is not None and str(each.id) <= last:
            raise OutOfOrder(f"{name} gave its ids out of order")
        last = str(each.id)
        yield each
