"""The outside systems that one department's steps share, as `department_run` opens them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gather_worker.llm.gateway import ModelGateway
from gather_worker.services.brain import Brain
from gather_worker.services.department_events import EventPublisher
from gather_worker.services.store import Store
from gather_worker.services.verdict_cache import VerdictCache
from gather_worker.steps.opening_questions import OpeningQuestions

if TYPE_CHECKING:
    from gather_worker.duplicates.calibration import Calibration


@dataclass(frozen=True, slots=True)
class Dependencies:
    """One of each."""

    store: Store
    brain: Brain
    model: ModelGateway
    events: EventPublisher
    calibration: "Calibration | None" = None
    """The user's own, for duplicates."""
    verdicts: VerdictCache | None = None
    opening: OpeningQuestions | None = None
    """Which the brain may have been asked already."""
