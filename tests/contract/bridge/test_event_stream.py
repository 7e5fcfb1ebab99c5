"""Server-Sent Events on a real Redis, read over HTTP: the same line of events as on a WebSocket."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest
import redis

from gather_clients.event_log import EventLog
from gather_contracts import names
from gather_contracts.events import AutomationFailed, Deduplicating

ServeBridge = Callable[..., AbstractAsyncContextManager[Any]]
TOKEN = {"Authorization": "Bearer a-token-for-every-project"}
TIMEOUT_S = 30


def an_event(project: str, run: str = "film") -> Deduplicating:
    return Deduplicating(project_id=project, run=run, run_uid=f"uid-{run}", department="story")


async def _lines(response: httpx.Response) -> AsyncIterator[str]:
    """Yield lines as the standard cuts them; httpx takes more characters for line ends."""
    waiting = b""
    async for chunk in response.aiter_raw():
        *whole, waiting = (waiting + chunk).split(b"\n")
        for line in whole:
            assert b"\r" not in line
            yield line.decode()


class Blocks:
    """Reads a stream as the standard says: fields, comments, blank lines."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.last_id = ""
        self.comments: list[str] = []
        self._lines = _lines(response)

    async def fields(self) -> dict[str, str]:
        """Return the next block's fields; of `data` all lines."""
        found: dict[str, str] = {}
        async with asyncio.timeout(TIMEOUT_S):
            async for line in self._lines:
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if not line:
                    return found
                if not name:
                    self.comments.append(value)
                elif name == "data" and "data" in found:
                    found["data"] += "\n" + value
                else:
                    found[name] = value
        raise EOFError

    async def data(self) -> dict[str, Any]:
        """Return the next block that has data, as the object that it holds."""
        while True:
            found = await self.fields()
            self.last_id = found.get("id", self.last_id)
            if "data" in found:
                body: dict[str, Any] = json.loads(found["data"])
                return body

    async def offsets(self, count: int) -> list[int]:
        """Return the offsets of the next events."""
        return [(await self.data())["offset"] for _ in range(count)]


@asynccontextmanager
async def stream(serving: Any, project: str, query: str = "", **headers: str) -> AsyncIterator[Blocks]:
    """Open a project's stream for as long as the block lasts."""
    address = f"http://127.0.0.1:{serving.port}/api/v1/projects/{project}/events{query}"
    asked = {"Accept": "text/event-stream", **TOKEN, **headers}
    async with (
        httpx.AsyncClient(timeout=TIMEOUT_S) as client,
        client.stream("GET", address, headers=asked) as response,
    ):
        yield Blocks(response)


async def test_a_stream_begins_with_how_to_come_back_and_goes_on_live(
    serving: Any, log: EventLog, project: str
) -> None:
    """No proxy may keep or change it, and each client waits for a time of its own before it comes back."""
    await log.append(an_event(project))
    async with stream(serving, project) as blocks:
        headers = blocks.response.headers
        assert headers["content-type"] == "text/event-stream"
        assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store, no-transform", "no")
        assert 1000 <= int((await blocks.fields())["retry"]) <= 5000
        hello = await blocks.data()
        assert (hello["type"], hello["offset"], hello["recovered"]) == ("hello", 1, True)
        await log.append(an_event(project))
        (expected,) = await log.read(project, 1)
        assert await blocks.data() == json.loads(expected.text)
        assert blocks.last_id == f"{hello['epoch']}-2"


async def test_a_stream_goes_on_after_the_last_event_id(serving: Any, log: EventLog, project: str) -> None:
    """The header goes before the address, which a browser repeats; an empty one says nothing."""
    for _ in range(5):
        await log.append(an_event(project))
    async with stream(serving, project, "?offset=0") as blocks:
        await blocks.data()
        assert await blocks.offsets(2) == [1, 2]
        last_id = blocks.last_id
    for _ in range(2):
        await log.append(an_event(project))
    async with stream(serving, project, "?offset=0", **{"Last-Event-ID": last_id}) as blocks:
        assert (await blocks.data())["recovered"] is True
        assert await blocks.offsets(5) == [3, 4, 5, 6, 7]
    async with stream(serving, project, "?offset=0", **{"Last-Event-ID": ""}) as blocks:
        await blocks.data()
        assert await blocks.offsets(7) == [1, 2, 3, 4, 5, 6, 7]


async def test_a_client_that_left_after_its_greeting_misses_nothing(
    serving: Any, log: EventLog, project: str
) -> None:
    """Also if the log had no event then: its id is a place too."""
    async with stream(serving, project) as blocks:
        await blocks.data()
        last_id = blocks.last_id
    await log.append(an_event(project))
    async with stream(serving, project, **{"Last-Event-ID": last_id}) as blocks:
        await blocks.data()
        assert await blocks.offsets(1) == [1]


@pytest.mark.parametrize(
    "last_id", ["17", "e1-", "e1-x", "-1x", "e 1-4", "e1-99999999999999999"],
    ids=["no epoch", "no offset", "no number", "half a number", "space", "too large"],
)  # fmt: skip
async def test_a_last_event_id_of_somebody_else_is_refused(serving: Any, project: str, last_id: str) -> None:
    """With a reason; nothing is guessed."""
    async with stream(serving, project, **{"Last-Event-ID": last_id}) as blocks:
        assert blocks.response.status_code == 400


async def test_text_with_line_ends_arrives_as_it_is_meant(
    serving: Any, log: EventLog, project: str, redis_url: str
) -> None:
    """White space of somebody else's JSON, and characters that only Python takes for line ends."""
    await log.append(an_event(project))
    epoch, _ = await log.position(project)
    body = {"type": "new_kind", "project_id": project, "offset": 2, "epoch": epoch, "run": "a\u2028b\x85c"}
    text = json.dumps(body, indent=1, ensure_ascii=False).replace("\n", "\r\n")
    async with stream(serving, project) as blocks:
        await blocks.data()
        with redis.Redis.from_url(redis_url) as client:
            client.hset(names.event_log_meta(project), "offset", 2)
            client.xadd(names.event_log(project), {"event": text}, id="2-0")
            client.publish(names.channel(project), text)
        fields = await blocks.fields()
        assert json.loads(fields["data"]) == body
        # Clients that take more than the standard for line ends read it too.
        assert fields["data"].splitlines() == fields["data"].split("\n")


async def test_a_client_that_reads_nothing_is_cut_and_frees_its_place(
    serve_bridge: ServeBridge, log: EventLog, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs others nothing, and this process no more than its buffers."""
    monkeypatch.setattr("gather_bridge.waiting_connections.STALLED_S", 1)
    large = AutomationFailed(
        project_id=project, run="film", reason="R", message="m" * 50_000, items_created=0, summary=[]
    )
    async with serve_bridge(heartbeat_interval_s=3600) as serving:
        head = f"GET /api/v1/projects/{project}/events/stream HTTP/1.1\r\nHost: x\r\n"
        with socket.create_connection(("127.0.0.1", serving.port)) as frozen:
            frozen.sendall(f"{head}Authorization: {TOKEN['Authorization']}\r\n\r\n".encode())
            await serving.until_metric("gather_bridge_sockets 1.0")
            async with stream(serving, project) as blocks:
                await blocks.data()
                for offset in range(1, 151):
                    await log.append(large)
                    assert await blocks.offsets(1) == [offset]
                await serving.until_metric("gather_bridge_sockets 1.0")


async def test_clients_that_go_before_the_first_byte_free_their_places(
    serve_bridge: ServeBridge, project: str
) -> None:
    """However many."""
    async with serve_bridge(max_sockets=5) as serving:
        head = f"GET /api/v1/projects/{project}/events/stream HTTP/1.1\r\nHost: x\r\n"
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", serving.port)) as hasty:
                hasty.sendall(f"{head}Authorization: {TOKEN['Authorization']}\r\n\r\n".encode())
                # RST instead of FIN.
                hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await asyncio.sleep(0)
        await serving.until_metric("gather_bridge_sockets 0.0")
        async with stream(serving, project) as blocks:
            assert blocks.response.status_code == 200
            await blocks.data()


async def test_only_one_run_is_followed_where_that_is_asked(
    serving: Any, log: EventLog, project: str
) -> None:
    """Replay and live, on both ways; the place of others' events is passed over."""
    for run in ("film", "other", "film", "other"):
        await log.append(an_event(project, run))
    epoch, _ = await log.position(project)
    async with (
        stream(serving, project, "?run=film&offset=0") as blocks,
        serving.client(project, f"?run=film&offset=1&epoch={epoch}") as client,
    ):
        await blocks.data()
        await client.event()
        assert await blocks.offsets(2) == [1, 3]
        assert await client.offsets(1) == [3]
        for run in ("other", "film", "film"):
            await log.append(an_event(project, run))
        assert await blocks.offsets(2) == [6, 7]
        assert await client.offsets(2) == [6, 7]
    async with stream(serving, project, "?run=Film%20") as blocks:
        assert blocks.response.status_code == 400


async def test_heartbeats_move_the_place_past_other_runs(
    serve_bridge: ServeBridge, log: EventLog, project: str
) -> None:
    """So that a client that comes back need not be sent through what is not its own."""
    async with (
        serve_bridge(heartbeat_interval_s=0.05) as serving,
        stream(serving, project, "?run=film") as blocks,
    ):
        await blocks.data()
        await log.append(an_event(project, "other"))
        epoch, _ = await log.position(project)
        async with asyncio.timeout(TIMEOUT_S):
            while blocks.last_id != f"{epoch}-1":
                blocks.last_id = (await blocks.fields()).get("id", blocks.last_id)
        assert "heartbeat live=true" in blocks.comments


async def test_everything_that_a_trimmed_log_holds_is_sent(
    serving: Any, log: EventLog, project: str, redis_url: str
) -> None:
    """The greeting says where it begins; who asks for what is gone must reload as before."""
    for _ in range(6):
        await log.append(an_event(project))
    epoch, _ = await log.position(project)
    with redis.Redis.from_url(redis_url) as client:
        client.xtrim(names.event_log(project), minid="4-0", approximate=False)
    async with stream(serving, project, "?offset=0") as blocks:
        hello = await blocks.data()
        assert (hello["recovered"], hello["first"], hello["offset"]) == (True, 4, 6)
        assert await blocks.offsets(3) == [4, 5, 6]
    async with stream(serving, project, f"?offset=1&epoch={epoch}") as blocks:
        assert (await blocks.data())["reason"] == "too_old"


async def test_more_than_one_replay_may_send_is_sent_to_who_asks_for_everything(
    serve_bridge: ServeBridge, log: EventLog, project: str
) -> None:
    """Page by page."""
    for _ in range(200):
        await log.append(an_event(project))
    async with serve_bridge(replay_limit=3) as serving, stream(serving, project, "?offset=0") as blocks:
        assert (await blocks.data())["recovered"] is True
        assert await blocks.offsets(200) == list(range(1, 201))


async def test_a_client_that_goes_frees_its_place(serve_bridge: ServeBridge, project: str) -> None:
    """Streams and sockets share one limit."""
    async with serve_bridge(max_sockets=1) as serving:
        async with stream(serving, project) as blocks:
            await blocks.data()
            async with stream(serving, project) as second:
                assert (second.response.status_code, second.response.headers["retry-after"]) == (503, "2")
        await serving.until_metric("gather_bridge_sockets 0.0")
        async with stream(serving, project) as third:
            await third.data()


async def test_a_page_of_a_listed_origin_may_read_a_stream_by_fetch(
    serve_bridge: ServeBridge, project: str
) -> None:
    """Its browser asks first, since it sends a token; other pages get nothing."""
    async with serve_bridge(allowed_origins=["https://app.example"]) as serving:
        address = f"http://127.0.0.1:{serving.port}/api/v1/projects/{project}/events"
        asks = {
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization,last-event-id",
        }
        async with httpx.AsyncClient() as client:
            for origin, status in (("https://app.example", 200), ("https://evil.example", 400)):
                answer = await client.options(address, headers={"Origin": origin, **asks})
                assert answer.status_code == status
        async with stream(serving, project, Origin="https://app.example") as blocks:
            assert blocks.response.headers["access-control-allow-origin"] == "https://app.example"
        async with stream(serving, project, Origin="https://evil.example") as blocks:
            assert blocks.response.status_code == 403
