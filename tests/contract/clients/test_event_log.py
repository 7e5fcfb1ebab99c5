"""The event log on a real Redis: offsets without gaps, once-only events, epochs, and life without Redis."""

import asyncio
from uuid import uuid4

import pytest
import redis

from dev.service_process import ServiceProcess, free_port
from gather_clients.event_log import LOG_EXPIRY_S, EventLog, EventLogUnavailable
from gather_clients.events.epochs import leads_to
from gather_contracts import names
from gather_contracts.events import AutomationComplete, Deduplicating

APPENDERS = 8
EACH = 50


def an_event(project: str, department: str = "story") -> Deduplicating:
    return Deduplicating(project_id=project, run="film", run_uid="u-1", department=department)


async def lose(redis_url: str, project: str) -> None:
    """Take a project's data away, as a Redis that lost it would."""
    with redis.Redis.from_url(redis_url) as client:
        client.delete(names.event_log(project), names.event_log_meta(project))


async def test_offsets_have_no_gap_under_concurrency(redis_url: str, log: EventLog, project: str) -> None:
    """Eight clients append at once; every offset is given once and the stream has them in order."""
    clients = [EventLog(redis_url) for _ in range(APPENDERS)]
    calls = [client.append(an_event(project)) for client in clients for _ in range(EACH)]
    offsets = await asyncio.gather(*calls)
    for client in clients:
        await client.close()
    everything = list(range(1, APPENDERS * EACH + 1))
    assert sorted(o for o in offsets if o is not None) == everything
    assert [e.offset for e in await log.read(project, 0)] == everything


async def test_readers_page_through_the_log(log: EventLog, project: str) -> None:
    """After an offset, up to a limit, oldest first; the tail is the newest."""
    for department in "abcde":
        await log.append(an_event(project, department))
    assert [e.offset for e in await log.read(project, 1, limit=2)] == [2, 3]
    assert [e.offset for e in await log.tail(project, limit=2)] == [4, 5]
    assert await log.read(project, 5) == []


async def test_the_event_comes_back_whole(log: EventLog, project: str) -> None:
    """Empty lists stay lists, and offset and epoch are the log's."""
    sent = AutomationComplete(
        project_id=project,
        run='fi"lm\n',
        total_iterations=0,
        departments_processed=0,
        items_created=0,
        summary=[],
    )
    await log.append(sent)
    epoch, offset = await log.position(project)
    assert offset == 1
    assert [e.decode() for e in await log.read(project, 0)] == [
        sent.model_copy(update={"offset": 1, "epoch": epoch})
    ]


async def test_a_repeated_key_appends_nothing(log: EventLog, project: str) -> None:
    """Once-only events may be sent again after a crash of their sender, at once or at the same time."""
    first = await asyncio.gather(
        *(log.append(an_event(project), "u-1/automation_complete") for _ in range(10))
    )
    assert sorted(first, key=str) == [1, *[None] * 9]
    assert await log.append(an_event(project), "u-1/automation_complete") is None
    assert await log.append(an_event(project), "u-1/department_failed/story") == 2
    assert await log.position(project) == ((await log.position(project))[0], 2)


async def test_the_same_event_without_a_key_is_another_event(log: EventLog, project: str) -> None:
    """Each iteration is deduplicated."""
    assert [await log.append(an_event(project)) for _ in range(3)] == [1, 2, 3]


async def test_lost_data_start_another_epoch(redis_url: str, log: EventLog, project: str) -> None:
    """Readers learn from the epoch that their offsets are worthless."""
    for _ in range(3):
        await log.append(an_event(project))
    before, _ = await log.position(project)
    await lose(redis_url, project)
    assert await log.position(project) == ("", 0)
    assert await log.append(an_event(project)) == 1
    after, offset = await log.position(project)
    assert offset == 1
    assert after not in {before, ""}


async def test_half_lost_data_start_another_epoch(redis_url: str, log: EventLog, project: str) -> None:
    """A stream without its counter, or a counter without its stream, would give offsets twice."""
    for key in (names.event_log(project), names.event_log_meta(project)):
        await log.append(an_event(project))
        before, _ = await log.position(project)
        with redis.Redis.from_url(redis_url) as client:
            client.delete(key)
        assert await log.append(an_event(project)) == 1
        assert (await log.position(project))[0] != before


async def test_a_late_event_of_an_earlier_writer_is_refused(
    redis_url: str, log: EventLog, project: str
) -> None:
    """A dead worker's call may still be on its way when its successor writes; others go on."""
    dead, other = EventLog(redis_url), EventLog(redis_url)
    dead.write_as("u-1/story", 1)
    log.write_as("u-1/story", 2)
    other.write_as("u-1/character", 1)
    assert await dead.append(an_event(project), "deduplicating/1") == 1
    assert await log.append(an_event(project), "deduplicating/2") == 2
    assert await dead.append(an_event(project), "late") is None
    assert await dead.append(an_event(project)) is None
    assert await other.append(an_event(project, "character"), "character") == 3
    assert await dead.append(an_event(uuid4().hex[:24]), "late") == 1
    assert [e.offset for e in await log.read(project, 0)] == [1, 2, 3]
    with redis.Redis.from_url(redis_url) as client:
        assert 0 < client.ttl(names.event_writer(project, "u-1/story")) <= LOG_EXPIRY_S
    for each in (dead, other):
        await each.close()


async def test_the_channel_and_the_stream_say_the_same(redis_url: str, log: EventLog, project: str) -> None:
    """A listener on the channel alone sees offset and epoch too."""
    with redis.Redis.from_url(redis_url) as client, client.pubsub() as subscription:
        subscription.subscribe(names.channel(project))
        subscription.get_message(timeout=30)
        await log.append(an_event(project))
        message = subscription.get_message(timeout=30)
    assert [message["data"].decode()] == [e.text for e in await log.read(project, 0)]


async def test_either_case_of_a_project_id_is_one_log(log: EventLog, project: str) -> None:
    """As in MongoDB and in the brain."""
    await log.append(an_event(project.upper()))
    assert [e.offset for e in await log.read(project, 0)] == [1]


async def test_a_subscriber_sees_every_project_from_now_on(
    redis_url: str, log: EventLog, project: str
) -> None:
    """Nothing that is published after the block was entered is missed; other messages are passed over."""
    other = uuid4().hex[:24]
    await log.append(an_event(project))
    async with log.subscribed() as events, asyncio.timeout(30):
        with redis.Redis.from_url(redis_url) as client:
            client.publish(names.channel(project), "no event of ours")
        await log.append(an_event(other))
        await log.append(an_event(project))
        seen = [await anext(events), await anext(events)]
    assert [(e.project_id, e.offset) for e in seen] == [(other, 1), (project, 2)]


async def test_a_subscriber_learns_that_redis_went(redis_store: ServiceProcess, log: EventLog) -> None:
    """It must read the gap from the log, so silence would lose events."""
    async with log.subscribed() as events, asyncio.timeout(30):
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)  # let it wait before Redis goes
        redis_store.restart()
        with pytest.raises(EventLogUnavailable):
            await waiting


async def test_the_first_append_after_a_restart_succeeds_and_appends_once(
    redis_store: ServiceProcess, log: EventLog, project: str
) -> None:
    """The connection of before is noticed and replaced; what readers have leads to the new epoch."""
    await log.append(an_event(project))
    before, _ = await log.position(project)
    redis_store.restart()
    assert await log.append(an_event(project)) == 2
    after, offset = await log.position(project)
    assert (offset, after != before) == (2, True)
    assert leads_to(before, 1, after)


async def test_without_redis_every_call_says_so_in_time() -> None:
    """The caller goes on without; it never hangs."""
    log = EventLog(f"redis://127.0.0.1:{free_port()}/0", timeout_s=0.5)
    project = "a" * 24
    async with asyncio.timeout(30):
        for call in (log.append(an_event(project)), log.position(project), log.read(project, 0), log.ping()):
            with pytest.raises(EventLogUnavailable):
                await call
        with pytest.raises(EventLogUnavailable):
            async with log.subscribed():
                pass
    await log.close()


async def test_a_redis_that_hangs_is_away() -> None:
    """A connection that accepts and never answers must not hold a worker."""

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await closing.wait()
        writer.close()

    closing = asyncio.Event()
    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    log = EventLog(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", timeout_s=0.2)
    async with asyncio.timeout(30):
        with pytest.raises(EventLogUnavailable):
            await log.append(an_event("a" * 24))
    await log.close()
    closing.set()
    server.close()
