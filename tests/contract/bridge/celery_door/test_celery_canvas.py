"""What follows a task in Celery: link, chain, chord, and their errors, carried out by real worker code."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import chain, chord  # type: ignore[import-untyped]

from gather_bridge.celery_door.celery_door import CeleryDoor
from gather_contracts import names
from tests.support.doors.canvas_consumer import NOTE, NOTED, canvas_service, noted
from tests.support.doors.celery_client import DATA, Client
from tests.support.doors.played_statuses import CANCELLED, DONE, FAILED

QUEUE = "canvas"
Heard = Callable[[], list[list[Any]]]


@pytest.fixture(scope="module")
def worker(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The application's own worker, a process of its own."""
    with canvas_service(tmp_path_factory.mktemp("canvas"), redis_url, QUEUE).running():
        yield


@pytest.fixture
def heard(client: Client, worker: None, redis_url: str) -> Heard:
    """Return what its tasks were given, in order."""
    client.app.conf.task_default_queue = QUEUE
    client.redis.delete(NOTED)
    return lambda: noted(redis_url)


def gather(client: Client, **options: Any) -> Any:
    return client.app.signature(names.GATHER_TASK, args=[DATA], queue=client.queue, **options)


def note(client: Client, *arguments: Any, **options: Any) -> Any:
    return client.app.signature(NOTE, args=arguments, queue=QUEUE, **options)


async def test_a_link_is_called_with_the_result(client: Client, door: CeleryDoor, heard: Heard) -> None:
    result = gather(client).apply_async(link=note(client, "linked"))
    await client.play(result, DONE)
    await client.until(heard)
    assert heard()[0][0]["status"] == "completed"
    assert heard()[0][1] == "linked"
    assert [child.id for child in (await client.state(result, "SUCCESS")).children]


async def test_a_link_error_is_called_with_the_task_s_id(
    client: Client, door: CeleryDoor, heard: Heard
) -> None:
    result = gather(client).apply_async(link_error=note(client, "failed"))
    await client.play(result, FAILED)
    await client.until(heard)
    assert heard() == [[result.id, "failed"]]


async def test_a_chain_goes_on_with_the_result(client: Client, door: CeleryDoor, heard: Heard) -> None:
    last = chain(gather(client), note(client, "second"), note(client, "third")).apply_async()
    await client.play(last.parent.parent, DONE)
    await client.state(last, "SUCCESS")
    assert [each[-1] for each in heard()] == ["second", "third"]


async def test_a_chain_ends_with_a_failure(client: Client, door: CeleryDoor, heard: Heard) -> None:
    last = chain(gather(client), note(client, "never")).apply_async()
    await client.play(last.parent, FAILED)
    await client.state(last, "FAILURE")
    assert heard() == []


async def test_a_chord_is_completed(client: Client, door: CeleryDoor, heard: Heard) -> None:
    """Of two films and a task of the application's own."""
    body = chord([gather(client), gather(client), note(client, "own")])(note(client, "all"))
    for part in body.parent.results[:2]:
        await client.play(part, DONE)
    await client.state(body, "SUCCESS")
    parts, word = heard()[-1]
    assert [part if isinstance(part, int) else part["status"] for part in parts] == [
        "completed",
        "completed",
        1,
    ]
    assert word == "all"


@pytest.mark.parametrize("end", [FAILED, CANCELLED], ids=["failed", "cancelled"])
async def test_a_chord_with_a_part_that_ends_badly_fails(
    client: Client, door: CeleryDoor, heard: Heard, end: dict[str, Any]
) -> None:
    body = chord([gather(client), note(client, "own")])(note(client, "all"))
    await client.play(body.parent.results[0], end)
    await client.state(body, "FAILURE")


async def test_a_result_that_nobody_wants_is_not_stored_and_its_link_is_called(
    client: Client, door: CeleryDoor, heard: Heard
) -> None:
    result = gather(client).apply_async(ignore_result=True, link=note(client, "linked"))
    await client.play(result, DONE)
    await client.until(heard)
    assert client.redis.get(f"celery-task-meta-{result.id}") is None
