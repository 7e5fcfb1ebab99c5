"""The outside world, as one department's steps share it."""

from dataclasses import dataclass

from gather_worker.announcer import Announcer
from gather_worker.brain import Brain
from gather_worker.calibration import Calibration
from gather_worker.llm import ModelGateway
from gather_worker.mongo import Store


@dataclass(frozen=True, slots=True)
class Tools:
    """One of each."""

    store: Store
    brain: Brain
    model: ModelGateway
    announcer: Announcer
    calibration: Calibration | None = None
    """The user's own, for duplicates."""
