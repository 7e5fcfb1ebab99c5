"""When a Lease may be taken: pure rules, those of client-go's leader election.

Wall clocks are never compared. How old a record is counts from when this process first saw it as it is, by
this process's own clock.
"""

from dataclasses import dataclass
from typing import Final

DURATION_MIN_S: Final = 3
DURATION_MAX_S: Final = 60
"""A record that claims a longer one is believed for this long: anybody may edit a Lease."""


@dataclass(frozen=True, slots=True)
class LeaseTiming:
    """How long a Lease lasts, and what follows from it; in client-go's proportions (15, 10, 2)."""

    duration_s: int
    """A record that has not changed for so long may be taken by another."""

    @property
    def deadline_s(self) -> float:
        """The holder stops acting so long after it sent its last renewal that succeeded."""
        return self.duration_s * 2 / 3

    @property
    def write_margin_s(self) -> float:
        """A write that began in time may take this much longer; the other half of the rest is for clocks."""
        return (self.duration_s - self.deadline_s) / 2

    @property
    def renew_s(self) -> float:
        """Between two renewals that succeed."""
        return self.duration_s / 4

    @property
    def retry_s(self) -> float:
        """After a renewal that failed, and between two looks of a standby."""
        return self.duration_s / 8

    @property
    def call_s(self) -> float:
        """For one call, so that a renewal can be tried again before the deadline."""
        return self.deadline_s / 2


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """What a Lease says."""

    holder: str
    """Empty: nobody."""
    duration_s: int
    transitions: int = 0
    acquired: str = ""
    """RFC 3339, for people."""
    renewed: str = ""
    """RFC 3339; only whether it changes counts."""
    shown: str = ""
    """How far the holder's metrics have been scraped; see `unshown_ends.py`."""
    version: str = ""
    """resourceVersion; empty: the Lease does not exist."""

    @property
    def lasts_s(self) -> int:
        """How long it may not be taken, within what is believed."""
        return min(max(self.duration_s, DURATION_MIN_S), DURATION_MAX_S)

    @property
    def acts_for_s(self) -> float:
        """For how long its holder may go on writing after somebody took it."""
        timing = LeaseTiming(self.lasts_s)
        return timing.deadline_s + timing.write_margin_s

    def is_same_claim(self, other: "LeaseRecord") -> bool:
        """Return whether nobody has claimed or renewed between the two."""
        claims = [(r.holder, r.transitions, r.acquired, r.renewed) for r in (self, other)]
        return claims[0] == claims[1]


@dataclass(frozen=True, slots=True)
class Sighting:
    """The last claim that was seen, and since when it has not changed."""

    record: LeaseRecord
    since_s: float

    def may_be_taken(self, identity: str, now_s: float) -> bool:
        """Return whether nobody else can still be acting by it."""
        if self.record.holder in {"", identity}:
            return True
        return now_s >= self.since_s + self.record.lasts_s


def seen(before: Sighting | None, record: LeaseRecord | None, now_s: float) -> Sighting | None:
    """Return the sighting after a look; a deleted Lease is held until its time is over."""
    if record is None:
        return before
    if before is not None and before.record.is_same_claim(record):
        return Sighting(record, before.since_s)
    return Sighting(record, now_s)
