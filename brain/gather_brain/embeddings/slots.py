"""Where vectors stand on a node: two slots, one of them for a new model while the old one serves; pure.

A slot's vector is always of the content that the node has now: each write of content writes both slots at
once, and empties the one for which it has no vector.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from gather_brain.vectors import Matrix

SlotName = Literal["a", "b"]


@dataclass(frozen=True, slots=True)
class Slot:
    """The properties of one slot; each has a vector index of its own."""

    name: SlotName
    vector: str
    model: str
    dimensions: str


SLOTS: Final[Mapping[SlotName, Slot]] = {
    "a": Slot("a", "embedding", "embeddingModel", "embeddingDimensions"),
    "b": Slot("b", "embeddingB", "embeddingModelB", "embeddingDimensionsB"),
}


def other_slot(name: SlotName) -> SlotName:
    """Return the slot that `name` is not."""
    return "b" if name == "a" else "a"


@dataclass(frozen=True, slots=True)
class Model:
    """An embedding model by what is kept of it on nodes; two of one name have the same dimensions."""

    name: str
    dimensions: int


@dataclass(frozen=True, slots=True)
class Place:
    """A model and the slot that its vectors are in."""

    slot: SlotName
    model: Model


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors of some texts by one model, shape (texts, dimensions)."""

    place: Place
    rows: Matrix
