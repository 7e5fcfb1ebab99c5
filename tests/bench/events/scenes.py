"""What is measured: live events, herds, a bridge that leaves, and faults; each on a stage of its own."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from redis.asyncio import Redis

from dev.progress import Step
from dev.service_process import HOST, ServiceProcess
from tests.bench.events.crowd import Crowd, Errors, Use, crowd, pss_kib, used
from tests.bench.events.stage import Stage, port_of

IDLE_S: Final = 1.0
FAULT_RATE_PER_S: Final = 50.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    sockets: int = 1000
    projects: int = 50
    per_s: float = 200
    seconds: float = 20
    herd: int = 500
    herd_missed: int = 20
    replays: tuple[tuple[int, int], ...] = ((300, 200), (400, 1000))
    """Clients, and events that each of them missed."""
    caught_up: int = 500
    idle_connections: int = 2260
    hang_s: float = 5
    lead_s: float = 1
    """Of steady events before and after a fault."""
    drain_s: float = 10


@dataclass(frozen=True, slots=True)
class Timing:
    """One row of times."""

    title: str
    ms: Sequence[float]
    goal_ms: float | None
    use: Use
    refused: int = 0
    closed: int = 0
    frame_us: float = 0.0
    """The bridge's processor time for each frame."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One row of what must not happen."""

    title: str
    errors: Errors
    back_s: float
    """From the fault's end to the moment at which every client had every event."""
    connections: float
    """Connections of a client, on average."""
    closed: dict[int, int] = field(default_factory=dict)


@dataclass
class Found:
    """All that was measured."""

    timings: list[Timing] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    socket_kib: float | None = None


async def live(stage: Stage, sizes: Sizes, found: Found, step: Step) -> None:
    """Events at a steady rate to sockets that all listen; the memory of a socket before the first event."""
    async with crowd(stage, sizes.sockets, sizes.projects) as people:
        await people.publisher.fill(1)
        before_kib = pss_kib(stage.bridge.pid)
        step.waits_for(f"{sizes.sockets} sockets to be open")
        people.come(asks=False)
        await people.until_greeted()
        await asyncio.sleep(IDLE_S)
        found.socket_kib = (pss_kib(stage.bridge.pid) - before_kib) / sizes.sockets
        step.waits_for(f"{sizes.seconds:g} s of events")
        people.heard.is_timing, people.heard.frames = True, 0
        async with used(stage) as use:
            await people.publisher.steadily(sizes.per_s, sizes.seconds)
        await people.until_all_came()
        title = f"{sizes.sockets} sockets, {sizes.projects} projects, {sizes.per_s:g} events/s"
        found.timings.append(_timing(title, people, people.heard.latencies_s, 50, use))


async def reconnects(stage: Stage, sizes: Sizes, found: Found, step: Step) -> None:
    """All come back at the same moment, each a few events behind; until each has all of them."""
    async with crowd(stage, sizes.herd, sizes.projects) as people:
        await people.publisher.fill(5)
        step.waits_for("the first time")
        people.come()
        await people.until_greeted()
        await people.go()
        await people.publisher.fill(sizes.herd_missed)
        people.heard.refused, people.heard.closed = 0, {}
        step.waits_for("all to be back")
        title = f"{sizes.herd} reconnects at once, {sizes.herd_missed} events each"
        await _timed(people, title, 5000, found, people.come_back)


async def replays(stage: Stage, sizes: Sizes, found: Found, step: Step) -> None:
    """All ask for a log from its beginning at the same moment; until each has all of it."""
    for clients, events in sizes.replays:
        async with crowd(stage, clients, min(clients, 10)) as people:
            step.waits_for(f"{events} events in the log of each of 10 projects")
            await people.publisher.fill(events)
            goal_ms = 2000 if (clients, events) == (300, 200) else None
            await _timed(people, f"{clients} clients x {events} events replayed", goal_ms, found, people.come)


async def catch_up(stage: Stage, sizes: Sizes, found: Found, step: Step) -> None:
    """Many events for clients that are connected, while the bridge hangs and Redis cuts its subscription."""
    events = sizes.caught_up
    async with crowd(stage, sizes.herd, 5) as people:
        await people.publisher.fill(1)
        people.come(asks=False)
        await people.until_greeted()
        step.waits_for(f"{events} events to be caught up with")
        async with Redis.from_url(stage.redis.uri) as redis:
            _signal(stage.bridge, signal.SIGSTOP)
            await redis.client_kill_filter(_type="pubsub")
            await people.publisher.fill(events)
            _signal(stage.bridge, signal.SIGCONT)
        async with used(stage) as use:
            since_s = time.monotonic()
            await people.until_all_came()
        title = f"{sizes.herd} clients caught up with {events} events"
        spans_s = [client.last_at_s - since_s for client in people.clients]
        found.timings.append(_timing(title, people, spans_s, None, use))


async def _timed(
    people: Crowd, title: str, goal_ms: float | None, found: Found, begin: Callable[[], float]
) -> None:
    async with used(people.stage) as use:
        since_s = begin()
        await people.until_greeted()
    spans_s = [client.live_at_s - since_s for client in people.clients]
    found.timings.append(_timing(title, people, spans_s, goal_ms, use))


def _timing(title: str, people: Crowd, spans_s: Sequence[float], goal_ms: float | None, use: Use) -> Timing:
    heard = people.heard
    ms = [1000 * each for each in spans_s]
    frame_us = 1e6 * use.bridge_s / max(1, heard.frames)
    return Timing(title, ms, goal_ms, use, heard.refused, sum(heard.closed.values()), frame_us)


async def flood(stage: Stage, sizes: Sizes, found: Found, step: Step) -> None:
    """Connections that send nothing; how long the health check and a new client take meanwhile."""
    async with crowd(stage, 20, 1) as people:
        await people.publisher.fill(1)
        step.waits_for(f"{sizes.idle_connections} idle connections")
        idle = [
            await asyncio.open_connection(HOST, port_of(stage.bridge)) for _ in range(sizes.idle_connections)
        ]
        async with used(stage) as use:
            spans_s = [await _probe(stage) for _ in range(20)]
            since_s = people.come()
            await people.until_greeted()
        spans_s += [client.live_at_s - since_s for client in people.clients]
        title = f"health checks and clients beside {sizes.idle_connections} idle connections"
        found.timings.append(_timing(title, people, spans_s, None, use))
        for _, writer in idle:
            writer.transport.abort()


async def _probe(stage: Stage) -> float:
    since_s = time.monotonic()
    reader, writer = await asyncio.open_connection(HOST, port_of(stage.bridge))
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    if b" 200 " not in answer[:20]:
        raise RuntimeError(f"the health check failed: {answer[:20]!r}")
    return time.monotonic() - since_s


async def rolling_update(stage: Stage, sizes: Sizes, found: Found, step: Step) -> None:
    """One of two bridges ends with SIGTERM; its clients come to the other one."""

    async def cause(stage: Stage) -> None:
        leaving = stage.bridges[0]
        stage.bridges.reverse()  # where clients go from now on, as the Service has it
        await asyncio.to_thread(leaving.stop)

    await _fault(stage, "rolling update, SIGTERM of one of two bridges", sizes, found, step, cause)


async def faults(stage: Stage, sizes: Sizes, found: Found, step: Step) -> None:
    """Redis and the bridge killed and hung, while events go on."""

    def killed(which: Callable[[Stage], ServiceProcess]) -> Callable[[Stage], Awaitable[None]]:
        async def cause(stage: Stage) -> None:
            which(stage).kill()
            await asyncio.to_thread(which(stage).start)

        return cause

    def hung(which: Callable[[Stage], ServiceProcess]) -> Callable[[Stage], Awaitable[None]]:
        async def cause(stage: Stage) -> None:
            process = which(stage)
            _signal(process, signal.SIGSTOP)
            await asyncio.sleep(sizes.hang_s)
            _signal(process, signal.SIGCONT)

        return cause

    def redis(stage: Stage) -> ServiceProcess:
        return stage.redis

    def bridge(stage: Stage) -> ServiceProcess:
        return stage.bridge

    await _fault(stage, "Redis killed", sizes, found, step, killed(redis))
    await _fault(stage, "bridge killed", sizes, found, step, killed(bridge))
    await _fault(stage, f"Redis hung for {sizes.hang_s:g} s", sizes, found, step, hung(redis))
    await _fault(stage, f"bridge hung for {sizes.hang_s:g} s", sizes, found, step, hung(bridge))


def _signal(process: ServiceProcess, which: signal.Signals) -> None:
    os.kill(process.pid, which)


async def _fault(  # noqa: PLR0917 - given by place in this module alone
    stage: Stage,
    title: str,
    sizes: Sizes,
    found: Found,
    step: Step,
    cause: Callable[[Stage], Awaitable[None]],
) -> None:
    """Let something happen while events go on; every client must get each of them once."""
    step.waits_for(title)
    async with crowd(stage, sizes.herd, sizes.projects) as people:
        await people.publisher.fill(1)
        people.come()
        await people.until_greeted()
        ended = asyncio.Event()

        async def publish() -> None:
            while not ended.is_set():
                await people.publisher.steadily(FAULT_RATE_PER_S, sizes.lead_s)

        publishing = asyncio.create_task(publish())
        await asyncio.sleep(sizes.lead_s)
        await cause(stage)
        since_s = time.monotonic()
        await asyncio.sleep(sizes.lead_s)
        ended.set()
        await publishing
        await people.until_all_came()
        back_s = time.monotonic() - since_s
        connections = sum(client.connections for client in people.clients) / len(people.clients)
        found.faults.append(Fault(title, people.errors(), back_s, connections, dict(people.heard.closed)))


SCENES: Final[dict[str, Callable[[Stage, Sizes, Found, Step], Coroutine[Any, Any, None]]]] = {
    "live": live,
    "reconnects": reconnects,
    "replays": replays,
    "catch-up": catch_up,
    "flood": flood,
    "update": rolling_update,
    "faults": faults,
}
