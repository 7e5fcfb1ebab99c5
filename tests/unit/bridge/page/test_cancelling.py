"""What the run page asks of the HTTP door."""

from gather_bridge.page.cancelling import DoorClient, Outcome
from tests.support.page.fake_door import answering_door

MINE, OTHER = "66f1a2b3c4d5e6f708192a3b", "0" * 24


async def test_a_name_that_is_another_project_s_by_now_is_not_cancelled() -> None:
    """The door goes by names alone, and the page's key opens every project."""
    with answering_door() as door:
        page = DoorClient(door.url, "key", None)
        door.project = OTHER
        assert await page.cancel("nightly", MINE) is Outcome.UNKNOWN
        assert door.asked == []
        door.project = MINE.upper()
        assert await page.cancel("nightly", MINE) is Outcome.ACCEPTED
        assert door.asked == [("/api/v1/tasks/nightly/cancel", "key")]
