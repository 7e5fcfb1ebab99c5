"""What a write brings to the gate that it passes: which model's vectors it has for which slot."""

import secrets
from collections.abc import Sequence
from typing import Any, Final

from gather_brain.embeddings.slots import SLOTS, Embedded

GATES: Final = 16
"""Two writes at once meet at one gate, and wait for each other, this seldom; a change passes all of them."""


def gate_parameters(embedded: Sequence[Embedded]) -> dict[str, Any]:
    """Return the parameters of `ENTER_GATE` and the models and dimensions that go with the vectors."""
    places = {each.place.slot: each.place for each in embedded}
    parameters: dict[str, Any] = {"gate": secrets.randbelow(GATES)}
    for name in SLOTS:
        place = places.get(name)
        parameters[f"model{name.upper()}"] = place.model.name if place else None
        parameters[f"dimensions{name.upper()}"] = place.model.dimensions if place else None
    return parameters


def vectors_of(embedded: Sequence[Embedded], row: int) -> dict[str, list[float] | None]:
    """Return one node's vectors as `vectorA` and `vectorB`; None empties the slot."""
    rows: dict[str, list[float] | None] = {f"vector{name.upper()}": None for name in SLOTS}
    for each in embedded:
        rows[f"vector{each.place.slot.upper()}"] = each.rows[row].tolist()
    return rows
