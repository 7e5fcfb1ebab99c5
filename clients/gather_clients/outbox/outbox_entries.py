"""What stands in the outbox, as those see it who do not load the MongoDB driver."""

from dataclasses import dataclass
from datetime import datetime


class OutboxUnavailable(Exception):  # noqa: N818 - named for what the caller does
    """MongoDB did not answer in time, or refuses; the text is a class of error, without any content."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that its webhook does not have yet."""

    id: str
    run_uid: str
    project_id: str
    url: str
    type: str
    text: str
    written_s: float
    """Unix time."""
    failures: int = 0
    failing_since_s: float | None = None
    due_s: float = 0.0
    """Not to be sent before this Unix time."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """What a run's webhook will not get."""

    run_uid: str
    run: str
    """The GatherRun's name."""
    events: int
    reason: str
    """A class of error."""
    at: datetime
    """When the last of them was given up."""
