"""When a Lease may be taken."""

import pytest

from gather_operator.replicas.lease_rules import LeaseRecord, LeaseTiming, Sighting, seen

HELD = LeaseRecord(holder="other", duration_s=9, renewed="2026-05-01T12:00:00Z", version="7")


def test_the_holder_stops_before_another_may_begin() -> None:
    """Also with the margin for a write that began in time, and with clocks that differ by a tenth."""
    for duration_s in (3, 9, 15, 60):
        timing = LeaseTiming(duration_s)
        assert timing.deadline_s + timing.write_margin_s < duration_s * 0.9
        assert timing.call_s + timing.retry_s < timing.deadline_s


def test_a_lease_may_be_taken_when_nothing_has_changed_for_its_duration() -> None:
    """By this process's own clock, whatever times stand in the record."""
    sighting = Sighting(HELD, since_s=100)
    assert not sighting.may_be_taken("me", 108.9)
    assert sighting.may_be_taken("me", 109)


@pytest.mark.parametrize("holder", ["", "me"])
def test_a_lease_of_nobody_or_of_mine_may_be_taken_at_once(holder: str) -> None:
    """A replica that comes back under its name need not wait for itself."""
    assert Sighting(LeaseRecord(holder, 9, version="7"), since_s=100).may_be_taken("me", 100)


@pytest.mark.parametrize("claimed_s", [10**9, 3600, 61])
def test_a_record_that_claims_a_long_time_is_believed_for_a_minute(claimed_s: int) -> None:
    """Anybody may edit a Lease; it must not stop the operator forever."""
    record = LeaseRecord("other", claimed_s, version="7")
    assert not Sighting(record, 100).may_be_taken("me", 159)
    assert Sighting(record, 100).may_be_taken("me", 160)


@pytest.mark.parametrize("claimed_s", [0, -5, 1])
def test_a_record_that_claims_no_time_is_left_alone_for_a_moment(claimed_s: int) -> None:
    """Its holder may be acting all the same."""
    assert not Sighting(LeaseRecord("other", claimed_s, version="7"), 100).may_be_taken("me", 102)


def test_time_counts_from_when_a_claim_was_first_seen() -> None:
    """Looking again does not begin it anew, another version without another claim neither."""
    first = seen(None, HELD, 100)
    touched = LeaseRecord(holder="other", duration_s=9, renewed="2026-05-01T12:00:00Z", version="8")
    again = seen(first, touched, 105)
    assert again is not None
    assert (again.since_s, again.record.version) == (100, "8")
    renewed = seen(again, LeaseRecord("other", 9, renewed="2026-05-01T12:00:01Z", version="9"), 106)
    assert renewed is not None
    assert renewed.since_s == 106


def test_a_lease_that_somebody_deletes_is_held_until_its_time_is_over() -> None:
    """Its holder does not know yet."""
    sighting = seen(seen(None, HELD, 100), None, 105)
    assert sighting is not None
    assert not sighting.may_be_taken("me", 108)
