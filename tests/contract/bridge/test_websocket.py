"""The events' WebSocket on a real Redis: exact replay, no Redis, slow clients, and who may connect."""

import asyncio
import json
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import redis
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dev.service_process import ServiceProcess
from gather_clients.event_log import EventLog
from gather_clients.issued_secrets import secret_hash
from gather_contracts import names
from gather_contracts.events import AutomationFailed, Deduplicating, Event

ServeBridge = Callable[..., AbstractAsyncContextManager[Any]]


def an_event(project: str, department: str = "story") -> Deduplicating:
    return Deduplicating(project_id=project, run="film", run_uid="u-1", department=department)


def a_large_event(project: str) -> Event:
    return AutomationFailed(
        project_id=project, run="film", reason="R", message="m" * 20_000, items_created=0, summary=[]
    )


async def append(log: EventLog, project: str, count: int) -> None:
    for _ in range(count):
        await log.append(an_event(project))


def write_tokens(path: Path, **projects: str) -> None:
    """Write a tokens file; each name is its token, and the time of change is another one than before."""
    lines = [{"name": t, "sha256": secret_hash(t), "projects": [p]} for t, p in projects.items()]
    path.write_text(json.dumps(lines), "utf-8")
    os.utime(path, ns=(1, 1))


async def closed(client: Any) -> tuple[int, str]:
    """Read to the end and return the code and the reason of the close."""
    _, code, reason = await until_closed(client)
    return code, reason


async def until_closed(client: Any) -> tuple[list[int], int, str]:
    """Read to the end and return the events' offsets, and the code and the reason of the close."""
    offsets = []
    try:
        while True:
            offsets.append((await client.event()).get("offset"))
    except ConnectionClosed as ended:
        close = ended.rcvd
    return (offsets, close.code, close.reason) if close else (offsets, 1006, "")


async def test_a_new_client_gets_hello_and_then_live_events(
    serving: Any, log: EventLog, project: str
) -> None:
    """Exactly as they stand in the log."""
    await append(log, project, 2)
    epoch, _ = await log.position(project)
    async with serving.client(project) as client:
        assert await client.event() == {"type": "hello", "epoch": epoch, "offset": 2, "recovered": True}
        await log.append(an_event(project, "character"))
        (expected,) = await log.read(project, 2)
        assert await client.event() == json.loads(expected.text)


async def test_a_client_that_returns_gets_exactly_what_it_missed(
    serving: Any, log: EventLog, project: str
) -> None:
    """Then live events, without a gap and without a repetition."""
    await append(log, project, 3)
    epoch, _ = await log.position(project)
    await append(log, project, 4)
    async with serving.client(project, f"?offset=3&epoch={epoch}") as client:
        hello = await client.event()
        assert (hello["offset"], hello["recovered"]) == (7, True)
        await append(log, project, 2)
        assert await client.offsets(6) == [4, 5, 6, 7, 8, 9]


async def test_a_client_can_ask_for_everything(serving: Any, log: EventLog, project: str) -> None:
    """Offset 0 needs no epoch; more than one read of the log is needed."""
    await append(log, project, 1200)
    async with serving.client(project, "?offset=0") as client:
        assert (await client.event())["recovered"] is True
        assert await client.offsets(1200) == list(range(1, 1201))


async def test_replay_and_live_events_meet_without_a_seam(serving: Any, log: EventLog, project: str) -> None:
    """Thirty clients come while events are being written; each gets each event once, in order."""
    await append(log, project, 20)
    written = asyncio.create_task(append(log, project, 200))

    async def read_all() -> list[int]:
        async with serving.client(project, "?offset=0") as client:
            await client.event()
            offsets: list[int] = await client.offsets(220)
            return offsets

    results = await asyncio.gather(*(read_all() for _ in range(30)))
    await written
    assert all(offsets == list(range(1, 221)) for offsets in results)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("?offset=1&epoch=0123456789abcdef", "epoch_changed"),
        ("?offset=9&epoch={epoch}", "offset_ahead"),
        ("?offset=1&epoch={epoch}", "too_many"),
    ],
)
async def test_a_gap_that_cannot_be_filled_is_not_filled_in_part(
    serve_bridge: ServeBridge, log: EventLog, project: str, query: str, reason: str
) -> None:
    """The client has to reload, and goes on with live events."""
    await append(log, project, 5)
    epoch, _ = await log.position(project)
    async with (
        serve_bridge(replay_limit=3) as serving,
        serving.client(project, query.format(epoch=epoch)) as client,
    ):
        assert await client.event() == {
            "type": "hello", "epoch": epoch, "offset": 5, "recovered": False, "reason": reason,
        }  # fmt: skip
        await append(log, project, 1)
        assert await client.offsets(1) == [6]


async def test_a_trimmed_log_is_too_old(serving: Any, log: EventLog, redis_url: str, project: str) -> None:
    """The first missing event is gone, the second is still there: neither is sent."""
    await append(log, project, 5)
    epoch, _ = await log.position(project)
    with redis.Redis.from_url(redis_url) as client:
        client.xdel(names.event_log(project), "3-0")
    async with serving.client(project, f"?offset=2&epoch={epoch}") as client:
        hello = await client.event()
        assert (hello["recovered"], hello["reason"]) == (False, "too_old")
        await append(log, project, 1)
        assert await client.offsets(1) == [6]


async def test_redis_dies_and_returns_and_no_event_is_lost_or_doubled(
    serving: Any, log: EventLog, redis_store: ServiceProcess, project: str
) -> None:
    """With its data: the epoch stays, clients stay connected and notice nothing but a pause."""
    other = EventLog(redis_store.uri)
    async with serving.client(project, "?offset=0") as client:
        await client.event()
        for round_ in range(3):
            await append(log, project, 5)
            redis_store.kill()
            await serving.until_live(is_live=False)
            redis_store.start()
            await append(other, project, 5)  # before the reader is back, with luck
            await serving.until_live()
            await append(log, project, 5)
            first = 15 * round_ + 1
            assert await client.offsets(15) == list(range(first, first + 15))
    await other.close()


async def test_a_redis_that_lost_its_data_tells_clients_to_reload(
    serving: Any, log: EventLog, redis_url: str, project: str
) -> None:
    """In place: the socket stays, and the new log's events follow."""
    await append(log, project, 3)
    async with serving.client(project) as client:
        await client.event()
        with redis.Redis.from_url(redis_url) as store:
            store.delete(names.event_log(project), names.event_log_meta(project))
        await append(log, project, 1)
        epoch, _ = await log.position(project)
        hello = await client.event()
        assert (hello["type"], hello["recovered"], hello["reason"]) == ("hello", False, "epoch_changed")
        assert (hello["epoch"], hello["offset"]) == (epoch, 1)
        await append(log, project, 1)
        assert await client.offsets(1) == [2]


async def test_a_client_that_connects_without_redis_is_asked_to_come_later(
    serving: Any, redis_store: ServiceProcess, project: str
) -> None:
    """Nothing can be said about what it missed."""
    with redis_store.absent():
        await serving.until_live(is_live=False)
        assert (await serving.get("/readyz")).status_code == 503
        assert (await serving.get("/healthz")).status_code == 200
        async with serving.client(project, "?offset=4&epoch=ab") as client:
            code, reason = await closed(client)
    assert code == 1013
    assert "come back" in reason
    await serving.until_live()
    assert (await serving.get("/readyz")).status_code == 200


async def test_a_slow_client_is_dropped_with_a_reason_and_can_come_back(
    serve_bridge: ServeBridge, log: EventLog, project: str
) -> None:
    """Another client of the same project gets everything meanwhile."""
    count = 600
    async with serve_bridge(send_timeout_s=0.5) as serving:
        # The slow one reads into nothing: its library stops taking from the socket after one message.
        slow_options = {"max_queue": 1, "max_size": None}
        async with serving.client(project, **slow_options) as slow, serving.client(project) as quick:
            await slow.event()
            await quick.event()
            reading = asyncio.create_task(quick.offsets(count))
            for _ in range(count):
                await log.append(a_large_event(project))
            assert await reading == list(range(1, count + 1))
            # Before that, one that begins to read is no longer slow, and gets all.
            await serving.until_metric('gather_bridge_sockets_closed_total{why="too_slow"} 1.0')
            seen, code, reason = await until_closed(slow)
        assert seen == list(range(1, len(seen) + 1))
        assert len(seen) < count
        assert (code, "too slow" in reason) == (4008, True)
        epoch, _ = await log.position(project)
        async with serving.client(project, f"?offset={len(seen)}&epoch={epoch}") as back:
            assert (await back.event())["recovered"] is True
            assert await back.offsets(count - len(seen)) == list(range(len(seen) + 1, count + 1))


async def test_a_client_that_never_reads_does_not_stay(
    serve_bridge: ServeBridge, log: EventLog, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is cut although it takes neither the events nor the close."""
    monkeypatch.setattr("gather_bridge.websocket.raw_frames.ABORT_AFTER_S", 0.1)
    async with serve_bridge(send_timeout_s=0.2) as serving:
        reader, writer = await asyncio.open_connection("127.0.0.1", serving.port, limit=1024)
        writer.write(
            f"GET /api/v1/projects/{project}/events HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\n"
            "Authorization: Bearer a-token-for-every-project\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(600):
            await log.append(a_large_event(project))
        async with asyncio.timeout(30):
            while not writer.is_closing():
                await asyncio.sleep(0.05)
                writer.write(b"\x8a\x80\x00\x00\x00\x00")  # a pong: fails once the connection is cut
        writer.close()
        await serving.until_metric('gather_bridge_sockets_closed_total{why="too_slow"} 1.0')


async def test_heartbeats_name_the_position(serve_bridge: ServeBridge, log: EventLog, project: str) -> None:
    """A client can see that it is up to date although nothing happens."""
    async with serve_bridge(heartbeat_interval_s=0.05) as serving, serving.client(project) as client:
        await append(log, project, 1)
        epoch, _ = await log.position(project)
        body = await client.frame()
        while body["type"] != "heartbeat" or not body["offset"]:
            body = await client.frame()
        assert body == {"type": "heartbeat", "epoch": epoch, "offset": 1, "live": True}


async def test_either_case_of_a_project_id_is_one_project(serving: Any, log: EventLog, project: str) -> None:
    """As everywhere."""
    async with serving.client(project.upper()) as client:
        await client.event()
        await append(log, project, 1)
        assert await client.offsets(1) == [1]


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        pytest.param(("{p}", "", None, None), (401, "unauthorized"), id="no token"),
        pytest.param(("{p}", "", "wrong", None), (401, "unauthorized"), id="unknown token"),
        pytest.param(
            ("not-a-project", "", "wrong", None), (401, "unauthorized"), id="strangers learn nothing"
        ),
        pytest.param(("{p}", "", "other", None), (404, "not_found"), id="another project's token"),
        pytest.param(("not-a-project", "", "all", None), (400, "invalid_request"), id="no project id"),
        pytest.param(("{p}", "?offset=-1", "all", None), (400, "invalid_request"), id="negative offset"),
        pytest.param(("{p}", "?epoch=ab", "all", None), (400, "invalid_request"), id="epoch alone"),
        pytest.param(
            ("{p}", "", "all", "https://evil.example"), (403, "origin_not_allowed"), id="foreign page"
        ),
        pytest.param(("{p}", "", "all", "null"), (403, "origin_not_allowed"), id="page without an origin"),
    ],
)
async def test_a_handshake_is_refused_with_its_reason(
    serve_bridge: ServeBridge,
    tokens_file: Path,
    project: str,
    asked: tuple[Any, ...],
    answer: tuple[int, str],
) -> None:
    """Before the socket is accepted, in the standard error body."""
    project_id, query, token, origin = asked
    write_tokens(tokens_file, all="*", other="f" * 24)
    async with serve_bridge(allowed_origins=["https://app.example"]) as serving:
        with pytest.raises(InvalidStatus) as refused:
            async with serving.client(project_id.format(p=project), query, token, origin=origin):
                pass
    body = json.loads(refused.value.response.body or b"")
    assert (refused.value.response.status_code, body["error"]) == answer


async def test_a_listed_page_connects_with_its_token_as_a_subprotocol(
    serve_bridge: ServeBridge, log: EventLog, project: str
) -> None:
    """What a browser can do; the token is not sent back."""
    subprotocols = ["gather.v1", "gather.token.a-token-for-every-project"]
    async with (
        serve_bridge(allowed_origins=["https://app.example"]) as serving,
        serving.client(
            project, token=None, origin="https://app.example", subprotocols=subprotocols
        ) as client,
    ):
        assert client.connection.subprotocol == "gather.v1"
        await client.event()
        await append(log, project, 1)
        assert await client.offsets(1) == [1]


async def test_anonymous_clients_listen_only_where_that_is_set(
    serve_bridge: ServeBridge, tmp_path: Path, project: str
) -> None:
    """For trying out, without any tokens file."""
    async with (
        serve_bridge(allow_anonymous=True, tokens_file=tmp_path / "none") as serving,
        serving.client(project, token=None) as client,
    ):
        assert (await client.event())["type"] == "hello"


async def test_no_more_sockets_than_the_limit(serve_bridge: ServeBridge, project: str) -> None:
    """A place becomes free when a client goes; probes answer all the same."""
    async with serve_bridge(max_sockets=2) as serving:
        async with serving.client(project) as one, serving.client(project) as two:
            await one.event()
            await two.event()
            with pytest.raises(InvalidStatus) as refused:
                async with serving.client(project):
                    pass
            assert refused.value.response.status_code == 503
            assert "gather_bridge_sockets 2.0" in serving.metrics
        async with serving.client(project) as three:
            await three.event()


async def test_a_large_message_from_a_client_ends_its_socket(serving: Any, project: str) -> None:
    """64 KiB is the largest frame."""
    async with serving.client(project) as client:
        await client.event()
        await client.connection.send("x" * (64 * 1024 + 1))
        assert (await closed(client))[0] == 1009


async def test_a_plain_request_is_asked_to_upgrade(serving: Any, project: str) -> None:
    """A person who opens the address in a browser."""
    answer = await serving.get(f"/api/v1/projects/{project}/events")
    assert (answer.status_code, answer.json()["error"]) == (426, "upgrade_required")


async def test_at_its_end_the_process_asks_clients_to_come_back(
    serve_bridge: ServeBridge, project: str
) -> None:
    """1012 is service restart."""
    async with serve_bridge() as serving:
        connecting = serving.client(project)
        client = await connecting.__aenter__()
        await client.event()
    assert (await closed(client))[0] == 1012
    await connecting.__aexit__(None, None, None)
