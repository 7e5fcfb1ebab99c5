"""What a client that comes back gets: exactly what it missed, or the advice to reload. Pure.

After Centrifugo's history and recovery: an offset counts only within its epoch, and there is never a partial
replay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from gather_clients.events.epochs import leads_to
from gather_clients.stored_event import StoredEvent


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a project's log: after the event with this offset. A log without events has ("", 0)."""

    epoch: str = ""
    offset: int = 0

    @property
    def is_start(self) -> bool:
        """Return whether nothing lies before it, whatever the epoch will be."""
        return not self.epoch and not self.offset

    def leads_to(self, later: "Position") -> bool:
        """Return whether who has everything up to here needs only what follows in the later place's log."""
        return self.is_start or leads_to(self.epoch, self.offset, later.epoch)


class ReloadReason(StrEnum):
    """Why a client must reload instead of going on."""

    EPOCH_CHANGED = "epoch_changed"
    """The log lost data, and what the client has is not what the log held then."""
    OFFSET_AHEAD = "offset_ahead"
    """The client has seen more than the log holds: the log went back."""
    TOO_OLD = "too_old"
    """The log no longer holds what the client missed."""
    TOO_MANY = "too_many"
    """The client missed more events than one replay may send."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What to send: the events after `after` up to `upto`; none of them if there is a reason to reload."""

    after: int
    upto: int
    reload: ReloadReason | None = None

    @property
    def missing(self) -> int:
        """Events to send."""
        return 0 if self.reload else self.upto - self.after


def decide_replay(asked: Position | None, head: Position, limit: int) -> Replay:
    """Return what a client at `asked` must get so that live events after `head` follow without a gap.

    Args:
        asked: None for a client that wants live events only.
        head: the log's end.
        limit: events that one replay may send, unless everything was asked for.
    """
    if asked is None or asked == head:
        return Replay(head.offset, head.offset)
    if not asked.leads_to(head):
        return Replay(head.offset, head.offset, ReloadReason.EPOCH_CHANGED)
    if asked.offset > head.offset:
        return Replay(head.offset, head.offset, ReloadReason.OFFSET_AHEAD)
    if head.offset - asked.offset > limit and asked.offset:
        return Replay(head.offset, head.offset, ReloadReason.TOO_MANY)
    return Replay(asked.offset, head.offset)


def position_of(event: StoredEvent, before: Position) -> Position:
    """Return the place right after the event; one that cannot be read has no epoch of its own."""
    return Position(event.epoch or before.epoch, event.offset)


def follows(event: StoredEvent, position: Position) -> bool:
    """Return whether the event is the next one."""
    return event.offset == position.offset + 1 and _is_followed(position, position_of(event, position))


def is_unbroken(events: Sequence[StoredEvent], after: Position) -> bool:
    """Return whether the events follow `after` and each other without a gap."""
    place = after
    for event in events:
        if not follows(event, place):
            return False
        place = position_of(event, place)
    return True


def _is_followed(place: Position, later: Position) -> bool:
    """Return whether the later place's log may be that of this one, which has no epoch after no events."""
    return not place.epoch or place.leads_to(later)


def is_same_log(reached: Position, head: Position) -> bool:
    """Return whether a place that was read is one of the log that ends at `head`, not of one that is gone."""
    return _is_followed(reached, head) or bool(head.epoch and head.leads_to(reached))


def is_seen(event: StoredEvent, position: Position) -> bool:
    """Return whether the event lies before the position, in the same epoch."""
    return event.epoch == position.epoch and event.offset <= position.offset
