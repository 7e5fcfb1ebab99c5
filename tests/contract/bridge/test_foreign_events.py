"""What is no event of ours, in a channel or a log, costs only itself."""

import asyncio
import json
from typing import Any

import pytest
import redis

from gather_clients.event_log import EventLog
from gather_contracts import names
from gather_contracts.events import EVENT_MAX_BYTES, Deduplicating


def an_event(project: str) -> Deduplicating:
    return Deduplicating(project_id=project, run="film", run_uid="u-1", department="story")


def a_newer_event(project: str, epoch: str, offset: int) -> dict[str, Any]:
    """An event of a type and with fields that nobody knew when this version was made."""
    place = {"offset": offset, "epoch": epoch}
    return {"type": "scene_moved", "project_id": project, "to": {"act": 2, "of": [1, 2.5, None]}, **place}


FOREIGN = {
    "no UTF-8": b"\xff",
    "no JSON": b"hello",
    "NaN": b'{"type":"deduplicating","offset":2,"epoch":"e","x":NaN}',
    "a number": b"7",
    "too long": b'{"a":"' + b"x" * EVENT_MAX_BYTES + b'"}',
    "too deep": b'{"a":' * 9000 + b"1" + b"}" * 9000,
}


@pytest.mark.parametrize("data", FOREIGN.values(), ids=FOREIGN)
async def test_a_foreign_message_disturbs_no_listener(
    serving: Any, log: EventLog, redis_url: str, project: str, data: bytes
) -> None:
    """Of its own project or any other."""
    async with serving.client(project) as client:
        await client.event()
        with redis.Redis.from_url(redis_url) as anybody:
            anybody.publish(names.channel(project), data)
            anybody.publish(names.channel(""), data)
        await log.append(an_event(project))
        assert await client.offsets(1) == [1]
    await serving.until_metric("gather_bridge_foreign_events_total 2.0")
    assert (await serving.get("/readyz")).status_code == 200


@pytest.mark.parametrize(
    "fields", [{"event": v} for v in FOREIGN.values()] + [{"other": b"x"}], ids=[*FOREIGN, "another field"]
)
async def test_a_foreign_entry_stops_neither_a_replay_nor_live_events(
    serving: Any, log: EventLog, redis_url: str, project: str, fields: dict[Any, Any]
) -> None:
    """Where it has taken an event's place, that place is passed over."""
    await log.append(an_event(project))
    epoch, _ = await log.position(project)
    async with serving.client(project) as live:
        await live.event()
        with redis.Redis.from_url(redis_url) as anybody:
            anybody.hincrby(names.event_log_meta(project), "offset", 1)
            anybody.xadd(names.event_log(project), fields, id="2-0")
        await log.append(an_event(project))
        await log.append(an_event(project))
        assert await live.offsets(2) == [3, 4]
    async with serving.client(project, f"?offset=1&epoch={epoch}") as back:
        assert (await back.event())["recovered"] is True
        assert await back.offsets(2) == [3, 4]
        await log.append(an_event(project))
        assert await back.offsets(1) == [5]


@pytest.mark.parametrize("entry_id", ["*", "1-1"], ids=["the time as its id", "between two events"])
async def test_an_entry_of_somebody_else_takes_no_place(
    serving: Any, log: EventLog, redis_url: str, project: str, entry_id: str
) -> None:
    """Events go on to be appended, heard and replayed, in the same epoch."""
    await log.append(an_event(project))
    epoch, _ = await log.position(project)
    with redis.Redis.from_url(redis_url) as anybody:
        anybody.xadd(names.event_log(project), {"event": b"theirs"}, id=entry_id)
    async with serving.client(project) as live:
        await live.event()
        assert [await log.append(an_event(project)) for _ in range(2)] == [2, 3]
        assert await live.offsets(2) == [2, 3]
    async with serving.client(project, "?offset=0") as back:
        assert (await back.event())["epoch"] == epoch
        assert await back.offsets(3) == [1, 2, 3]


async def test_an_event_of_a_newer_version_arrives_as_it_is(
    serving: Any, log: EventLog, redis_url: str, project: str
) -> None:
    """Live and replayed: listeners are told to expect types and fields that they do not know."""
    await log.append(an_event(project))
    epoch, _ = await log.position(project)
    newer = a_newer_event(project, epoch, 2)
    async with serving.client(project) as live:
        await live.event()
        with redis.Redis.from_url(redis_url) as newer_worker:
            newer_worker.hincrby(names.event_log_meta(project), "offset", 1)
            newer_worker.xadd(names.event_log(project), {"event": json.dumps(newer)}, id="2-0")
            newer_worker.publish(names.channel(project), json.dumps(newer))
        assert await live.event() == newer
    async with serving.client(project, f"?offset=1&epoch={epoch}") as back:
        await back.event()
        assert await back.event() == newer


async def test_a_herd_comes_back_at_once(serving: Any, log: EventLog, project: str) -> None:
    """200 clients with 300 events each, while events go on: nobody is refused or closed, all are live."""
    clients, missed = 200, 300
    for _ in range(missed):
        await log.append(an_event(project))
    epoch, _ = await log.position(project)
    ready: asyncio.Queue[None] = asyncio.Queue()
    go_on = asyncio.Event()

    async def come_back(seen: int) -> list[int]:
        async with serving.client(project, f"?offset={seen}&epoch={epoch}", open_timeout=60) as client:
            assert (await client.event())["recovered"] is True
            got: list[int] = await client.offsets(missed - seen)
            ready.put_nowait(None)
            await go_on.wait()
            return [*got, *await client.offsets(1)]

    herd = [asyncio.create_task(come_back(n % 7)) for n in range(clients)]
    for _ in range(clients):
        async with asyncio.timeout(60):
            await ready.get()
    await log.append(an_event(project))
    go_on.set()
    found = await asyncio.gather(*herd)
    assert found == [list(range(n % 7 + 1, missed + 2)) for n in range(clients)]
