"""Parameters with which a write takes its lock: which model's vectors it has for which slot."""

import secrets
from collections.abc import Sequence
from typing import Any, Final

from gather_brain.embeddings.slots import SLOTS, Embedded
from gather_brain.store.database import vector_parameter

LOCKS: Final = 16
"""A write takes one of them, a change of model all; so few writes wait for each other."""


def any_lock() -> int:
    """Return the number of one of the locks."""
    return secrets.randbelow(LOCKS)


def lock_parameters(embedded: Sequence[Embedded]) -> dict[str, Any]:
    """Return the parameters of `TAKE_LOCK` and the models and dimensions that go with the vectors."""
    places = {each.place.slot: each.place for each in embedded}
    parameters: dict[str, Any] = {"lock": any_lock()}
    for name in SLOTS:
        place = places.get(name)
        parameters[f"model{name.upper()}"] = place.model.name if place else None
        parameters[f"dimensions{name.upper()}"] = place.model.dimensions if place else None
    return parameters


def vectors_of(embedded: Sequence[Embedded], row: int) -> dict[str, Any]:
    """Return one node's vectors as `vectorA` and `vectorB`; None empties the slot."""
    rows: dict[str, Any] = {f"vector{name.upper()}": None for name in SLOTS}
    for each in embedded:
        rows[f"vector{each.place.slot.upper()}"] = vector_parameter(each.rows[row])
    return rows
