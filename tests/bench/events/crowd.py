"""Many clients and one publisher in this process, and what they saw together."""

import asyncio
import itertools
import os
import resource
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from gather_clients.event_log import EventLog
from tests.bench.events.client import Client, Heard
from tests.bench.events.publisher import Publisher
from tests.bench.events.stage import Stage, port_of
from tests.bench.measure import MIB, cpu_s, memory_of

POLL_S: Final = 0.02
SETTLE_S: Final = 60.0
SAMPLE_S: Final = 0.05
_CROWDS: Final = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Errors:
    """What must be 0: summed over all clients."""

    lost: int
    doubled: int
    wrong: int
    """Times when events were missing, or came again, although the bridge had said that none were missing."""
    reloads: int


@dataclass
class Crowd:
    """Clients of some projects, spread over them in turn."""

    stage: Stage
    publisher: Publisher
    clients: list[Client]
    heard: Heard = field(default_factory=Heard)

    async def until(self, what: str, is_so: Callable[[Client], bool], limit_s: float = SETTLE_S) -> None:
        """Wait until something holds for every client.

        Raises TimeoutError if it holds for no further one, and nothing is heard, for so long.
        """
        deadline_s, before = time.monotonic() + limit_s, (0, 0)
        waiting = list(self.clients)
        while waiting := [client for client in waiting if not is_so(client)]:
            if (now := (len(waiting), self.heard.frames)) != before:
                deadline_s, before = time.monotonic() + limit_s, now
            if time.monotonic() > deadline_s:
                raise TimeoutError(
                    f"{len(waiting)} of {len(self.clients)} clients: not within {limit_s} s: {what}"
                )
            await asyncio.sleep(POLL_S)

    async def until_greeted(self) -> None:
        """Wait until all are connected and have what they missed."""
        await self.until("live", lambda client: client.live_at_s > 0)

    async def until_all_came(self) -> None:
        """Wait until each client has the last event of its project."""
        count = self.publisher.count
        await self.until(
            "the last event",
            lambda client: bool(client.numbers) and client.numbers[-1] == count[client.project_id],
        )

    def errors(self) -> Errors:
        """Compare what each client got with what was appended."""
        lost = doubled = wrong = reloads = 0
        for client in self.clients:
            seen = len(set(client.numbers))
            first = client.numbers[0] if client.numbers else 1
            missing = self.publisher.count[client.project_id] - first + 1 - seen
            lost += missing
            doubled += len(client.numbers) - seen
            breaks = {
                at for at in range(1, len(client.numbers)) if client.numbers[at] != client.numbers[at - 1] + 1
            }
            wrong += len(breaks - set(client.reloads))
            reloads += len(client.reloads)
        return Errors(lost, doubled, wrong, reloads)

    def come(self, *, asks: bool = True) -> float:
        """Have all connect at once, for all that there is, or for what is to come; return when."""
        for client in self.clients:
            client.start(asks=asks)
        return time.monotonic()

    async def go(self) -> None:
        """Have all leave, and forget what they got but for their place."""
        for client in self.clients:
            client.stop()
        await self.until("gone", lambda client: not client.is_connected)
        for client in self.clients:
            client.forget()

    def come_back(self) -> float:
        """Have all connect at once with their place; return when."""
        for client in self.clients:
            client.start(offset=client.offset, epoch=client.epoch)
        return time.monotonic()


@asynccontextmanager
async def crowd(stage: Stage, clients: int, projects: int) -> AsyncIterator[Crowd]:
    """Have clients and a publisher while the block lasts; nobody is connected yet."""
    raise_file_limit()
    names = [f"{next(_CROWDS):08x}{number:016x}" for number in range(projects)]
    log = EventLog(stage.redis.uri)
    heard = Heard()
    made = [Client(names[n % projects], lambda: port_of(stage.bridge), heard) for n in range(clients)]
    people = Crowd(stage, Publisher(log, names), made, heard)
    try:
        yield people
    finally:
        await people.go()
        await log.close()


def raise_file_limit() -> None:
    """Let this process have as many connections as the machine allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@dataclass
class Use:
    """What processes used while something was measured."""

    seconds: float = 0.0
    bridge_s: float = 0.0
    redis_s: float = 0.0
    clients_s: float = 0.0
    """This process's, publisher included."""
    waited_s: float = 0.0
    """The longest that one of the three was ready to run and had no core: what other work costs the times."""
    peak_mib: float = 0.0
    """The bridge's highest resident memory in that time."""


@asynccontextmanager
async def used(stage: Stage) -> AsyncIterator[Use]:
    """Measure processor time and memory while the block lasts."""
    pids = (stage.bridge.pid, stage.redis.pid, os.getpid())
    use, begin_s = Use(), time.monotonic()
    before, waited = [cpu_s(pid) for pid in pids], [waited_s(pid) for pid in pids]
    sampling = asyncio.create_task(_sample(stage.bridge.pid, use))
    try:
        yield use
    finally:
        sampling.cancel()
        use.seconds = time.monotonic() - begin_s
        use.waited_s = max(waited_s(pid) - since_s for pid, since_s in zip(pids, waited, strict=True))
        use.bridge_s, use.redis_s, use.clients_s = (cpu_s(p) - b for p, b in zip(pids, before, strict=True))


async def _sample(pid: int, use: Use) -> None:
    process = psutil.Process(pid)
    while True:
        use.peak_mib = max(use.peak_mib, process.memory_info().rss / MIB)
        await asyncio.sleep(SAMPLE_S)


def waited_s(pid: int) -> float:
    """Return how long a process's first thread has waited for a core until now."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9


def pss_kib(pid: int) -> float:
    """Return a process's share of memory."""
    return memory_of(pid).pss * 1024
