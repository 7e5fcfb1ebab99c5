"""Conditions as the Kubernetes API conventions want them: the transition time moves only with the status."""

from datetime import datetime

from gather_contracts.events import timestamp
from gather_contracts.reasons import ConditionType
from gather_contracts.resource import MESSAGE_MAX, Condition, GatherRunStatus
from gather_contracts.text_cleaning import writable


def shorten(message: str) -> str:
    """Return the message, cut to what a status field may hold, and without what it cannot."""
    message = writable(message)
    return message if len(message) <= MESSAGE_MAX else f"{message[: MESSAGE_MAX - 1]}…"


class ConditionSet:
    """Collects the conditions of one decision on top of those that stand in the status."""

    def __init__(self, status: GatherRunStatus, generation: int, now: datetime) -> None:
        """`generation` is the spec's that is being observed."""
        self._by_type = {c.type: c for c in status.conditions}
        self._generation = generation
        self._now = timestamp(now)

    def put(self, kind: ConditionType, status: bool | None, reason: str, message: str = "") -> None:
        """Set a condition; a status of None is Unknown, a reason may be a word of Kubernetes."""
        word = "Unknown" if status is None else str(status)
        old = self._by_type.get(kind)
        since = old.last_transition_time if old is not None and old.status == word else self._now
        self._by_type[kind] = Condition(
            type=kind,
            status=word,
            reason=reason,
            message=shorten(message),
            last_transition_time=since,
            observed_generation=self._generation,
        )

    def listed(self) -> list[Condition]:
        """Return the conditions in the order in which a run passes through them."""
        return [self._by_type[kind] for kind in ConditionType if kind in self._by_type]
