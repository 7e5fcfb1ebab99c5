"""Which of two writes of a note is the later one."""

from datetime import UTC, datetime, timedelta

import pytest

from gather_clients.notes.note import Note, Origin
from gather_worker.documents.note_node import REVISION_MAX, node_of, revision_of, revision_over

EDITED = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)


def note(changed_at: datetime | None, score: float | None = None) -> Note:
    origin = Origin(run="r", quality_score=score)
    return Note("a", "The keeper.", "a" * 24, "story", changed_at=changed_at, origin=origin)


def test_the_later_reading_of_a_document_has_the_higher_revision() -> None:
    """An edit goes before what was read before it, a score before none, a later score before an edit."""
    first = revision_of(note(EDITED))
    scored_at_once = revision_of(note(EDITED, 70))
    edited = revision_of(note(EDITED + timedelta(seconds=1), 70))
    assert first < scored_at_once < edited
    assert node_of(note(EDITED, 70)).revision == scored_at_once


@pytest.mark.parametrize("listed", [0, 1, 7, 2**30, REVISION_MAX - 1, REVISION_MAX])
def test_a_write_over_a_listed_node_is_never_lower_and_stays_within_the_brains_bound(listed: int) -> None:
    """The brain takes an equal revision too, at the highest there is."""
    for own in (0, 1, revision_of(note(EDITED)), REVISION_MAX):
        over = revision_over(own, listed)
        assert max(own, min(listed + 1, REVISION_MAX)) == over <= REVISION_MAX


def test_a_score_that_comes_after_a_sync_gets_through() -> None:
    """The sync wrote an edit over a node; the score is a change of the document, and so a later one."""
    before, edit = note(EDITED), note(EDITED + timedelta(seconds=5))
    synced = revision_over(revision_of(edit), revision_of(before))
    assert revision_of(before) < synced <= revision_of(edit)
    scored = note(EDITED + timedelta(seconds=9), 70)
    assert revision_of(scored) > synced


@pytest.mark.parametrize(
    ("changed_at", "expected"),
    [
        (None, 0),
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(9999, 1, 1, tzinfo=UTC), REVISION_MAX),
    ],
)
def test_dates_out_of_range_are_bounds(changed_at: datetime | None, expected: int) -> None:
    """Nothing that stands in a document makes a node that the brain refuses."""
    assert revision_of(note(changed_at)) == expected
