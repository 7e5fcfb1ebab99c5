"""The run page's client at a real door: the two speak of the same answers."""

from gather_bridge.page.cancelling import DoorClient, Outcome
from tests.contract.bridge.http_door.test_tasks_over_http import ENDED
from tests.support.doors.doors_api import DoorsApi
from tests.support.doors.http_door import OTHER_KEY, PROJECT, SERVICE_KEY, ServedDoor


async def test_the_page_cancels_at_the_door(door: ServedDoor, kubernetes: DoorsApi) -> None:
    """Twice is no error, and a run that has just ended is said to have."""
    page, run = DoorClient(door.url, SERVICE_KEY, None), await door.submitted()
    assert [await page.cancel(run, PROJECT) for _ in range(2)] == [Outcome.ACCEPTED] * 2
    assert kubernetes.run(run)["spec"]["cancel"] is True
    ended = await door.submitted()
    kubernetes.put_status(ended, ENDED)
    await door.until(ended, lambda body: bool(body["status"] == "completed"))
    assert await page.cancel(ended, PROJECT) is Outcome.ENDED
    assert await page.cancel(run, "0" * 24) is Outcome.UNKNOWN
    assert await page.cancel("none", PROJECT) is Outcome.UNKNOWN
    assert await DoorClient(door.url, OTHER_KEY, None).cancel(run, PROJECT) is Outcome.UNKNOWN
    assert await DoorClient(door.url, "wrong", None).cancel(run, PROJECT) is Outcome.REFUSED
    away = DoorClient("http://127.0.0.1:9", SERVICE_KEY, None)
    assert await away.cancel(run, PROJECT) is Outcome.UNAVAILABLE
