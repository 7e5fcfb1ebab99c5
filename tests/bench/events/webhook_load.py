"""What webhooks cost and how long they take: `python -m tests.bench.events.webhook_load --help`.

One process is bridge and receiver, with a Redis and a MongoDB of its own; hand-overs are between two bridges
in processes of their own. Figures are printed as lines of JSON.
"""

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import redis
from pymongo import MongoClient

from dev.artefacts.store_binaries import StoreArtefacts
from dev.stores import running
from gather_bridge.bridge import Bridge
from gather_bridge.settings import Settings
from gather_clients.event_log import EventLog
from gather_clients.outbox.outbox_store import Outbox
from gather_contracts import names
from gather_contracts.events import Deduplicating, identified
from tests.support.doors.settings_by_name import settings_by_name
from tests.support.events.webhook_receiver import Receiver, receiving, write_certificate

WELL, FAILING, HANGING = 436, 500, 64
PROJECTS = 50
EVENTS_PER_S = 40
RUN_S = 30.0
IDLE_S = 20.0
HERD_EVENTS, HERD_RUNS = 10_000, 50


@dataclass(frozen=True, slots=True)
class Place:
    """Where stores and certificate are."""

    redis_url: str
    mongodb_uri: str
    certificate: Path
    has_outbox: bool


@dataclass(slots=True)
class Hooks:
    """Runs with webhooks, and when what was sent to them arrived."""

    place: Place
    log: EventLog
    outbox: Outbox
    port: int
    written: dict[str, float] = field(default_factory=dict)
    sent: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    arrived: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    delays: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def url(self, path: str) -> str:
        return f"https://127.0.0.1:{self.port}/{path}"

    def register(self, paths: list[str], project: Callable[[int], str]) -> None:
        """Register webhooks in Redis, as the operator does without an outbox."""
        if self.place.has_outbox:
            return
        with redis.Redis.from_url(self.place.redis_url) as client:
            pipeline = client.pipeline()
            for number, path in enumerate(paths):
                fields: dict[Any, Any] = {"project_id": project(number), "run": "film", "url": self.url(path)}
                pipeline.hset(names.webhook_registration(path), mapping=fields)
                pipeline.sadd(names.WEBHOOK_REGISTRATIONS, path)
            pipeline.execute()

    async def send(self, path: str, project: str) -> None:
        """Write one event of the run that has its webhook at `path`."""
        number = len(self.sent[path])
        made = Deduplicating(project_id=project, run="film", run_uid=path, department="story")
        event = identified(made, f"{path}/{number}")
        self.sent[path].append(event.id)
        self.written[event.id] = time.monotonic()
        if self.place.has_outbox:
            await self.outbox.put(event, self.url(path))
        await self.log.append(event, event.id)

    def take(self, path: str, body: bytes) -> None:
        """Note what arrived."""
        event_id = json.loads(body)["id"]
        self.arrived[path].append(event_id)
        self.delays[path].append(time.monotonic() - self.written[event_id])


class Behaving(Receiver):
    """Answers as the path says: well, fail or hang."""

    hooks: Hooks | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        path = scope["path"].lstrip("/")
        if path.startswith("hang"):
            with suppress(asyncio.CancelledError):  # the end of the measurement
                await asyncio.sleep(60)
        is_well = path.startswith("well")
        if is_well and self.hooks is not None:
            self.hooks.take(path, body)
        await send({"type": "http.response.start", "status": 204 if is_well else 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def quantile(values: list[float], part: float) -> float:
    """Return the value below which that part of them lies, in milliseconds."""
    ordered = sorted(values)
    return round(1000 * ordered[min(int(part * len(ordered)), len(ordered) - 1)], 1) if ordered else -1.0


def project_of(number: int) -> str:
    return f"{number % PROJECTS:024x}"


@contextmanager
def stores(*, has_outbox: bool) -> Iterator[Place]:
    """Start Redis and MongoDB."""
    artefacts = StoreArtefacts.from_environment()
    with (
        tempfile.TemporaryDirectory() as folder,
        running("redis", artefacts) as log,
        running("mongodb", artefacts) as mongodb,
    ):
        certificate = Path(folder) / "certificate.pem"
        write_certificate(certificate)
        yield Place(log.uri, mongodb.uri, certificate, has_outbox)


def settings_of(place: Place) -> dict[str, Any]:
    return {
        "REDIS_URL": place.redis_url,
        "GATHER_BRIDGE_ALLOW_ANONYMOUS": "true",
        "GATHER_BRIDGE_TOKENS_FILE": "/nonexistent/tokens.json",
        "GATHER_WEBHOOK_SECRET": "a-secret-of-some-length",
        "GATHER_BRIDGE_WEBHOOK_ALLOWED_NETWORKS": '["127.0.0.0/8"]',
        "GATHER_BRIDGE_WEBHOOK_CA_FILE": str(place.certificate),
        "GATHER_OUTBOX": str(place.has_outbox).lower(),
        "MONGODB_URI": place.mongodb_uri,
    }


@asynccontextmanager
async def hooks_at(place: Place, *, has_bridge: bool = True) -> AsyncIterator[Hooks]:
    """Receive, and serve a bridge in this process."""
    log, outbox = EventLog(place.redis_url), Outbox(place.mongodb_uri, 2)
    async with receiving(place.certificate, Behaving()) as receiver:
        made = Hooks(place, log, outbox, receiver.port)
        receiver.hooks = made
        if has_bridge:
            values = settings_of(place) | {"GATHER_BRIDGE_WEBHOOK_ALLOWED_NETWORKS": ["127.0.0.0/8"]}
            bridge = Bridge(settings_by_name(Settings, values))
            async with bridge.running():
                yield made
        else:
            yield made
    await log.close()
    await outbox.close()


async def load(place: Place) -> dict[str, Any]:
    """1,000 webhooks, half of them failing and 64 hanging, with events for all of them."""
    paths = [f"well-{n}" for n in range(WELL)] + [f"fail-{n}" for n in range(FAILING)]
    paths += [f"hang-{n}" for n in range(HANGING)]
    projects = {path: project_of(number) for number, path in enumerate(paths)}
    async with hooks_at(place) as hooks:
        hooks.register(paths, project_of)
        for path in paths:
            await hooks.send(path, projects[path])
        await asyncio.sleep(15)
        first = [delay for delays in hooks.delays.values() for delay in delays]
        hooks.delays.clear()
        ends_s = time.monotonic() + RUN_S
        number = 0
        while time.monotonic() < ends_s:
            path = paths[number * 7 % len(paths)]
            await hooks.send(path, projects[path])
            number += 1
            await asyncio.sleep(1 / EVENTS_PER_S)
        await asyncio.sleep(5)
        delays = [delay for each in hooks.delays.values() for delay in each]
        well = [path for path in paths if path.startswith("well")]
        in_order = sum(list(dict.fromkeys(hooks.arrived[path])) == hooks.sent[path] for path in well)
    return {
        "webhooks": len(paths), "events": number, "first ms p99": quantile(first, 0.99),
        "healthy ms p50": quantile(delays, 0.5), "healthy ms p99": quantile(delays, 0.99),
        "healthy in order and complete": f"{in_order}/{len(well)}",
        "doubled": sum(len(ids) - len(set(ids)) for ids in hooks.arrived.values()),
    }  # fmt: skip


async def idle(place: Place) -> dict[str, Any]:
    """1,000 webhooks that have everything."""
    paths = [f"well-{n}" for n in range(1000)]
    async with hooks_at(place) as hooks:
        hooks.register(paths, project_of)
        for number, path in enumerate(paths):
            await hooks.send(path, project_of(number))
        await _until(lambda: sum(map(len, hooks.arrived.values())) >= len(paths))
        await asyncio.sleep(5)
        with redis.Redis.from_url(place.redis_url) as client, MongoClient[Any](place.mongodb_uri) as mongodb:
            process = psutil.Process()
            before = client.info()["total_commands_processed"], _operations(mongodb), process.cpu_times()
            await asyncio.sleep(IDLE_S)
            after = client.info()["total_commands_processed"], _operations(mongodb), process.cpu_times()
    cpu_s = after[2].user + after[2].system - before[2].user - before[2].system
    return {
        "idle webhooks": len(paths), "Redis commands/s": round((after[0] - before[0]) / IDLE_S, 2),
        "MongoDB operations/s": round((after[1] - before[1]) / IDLE_S, 2),
        "CPU %": round(100 * cpu_s / IDLE_S, 2), "RSS MB": round(process.memory_info().rss / 1e6),
    }  # fmt: skip


def _operations(mongodb: "MongoClient[Any]") -> int:
    counters = mongodb.admin.command("serverStatus")["opcounters"]
    # "command" counts aggregations too, and the driver's own heartbeats.
    return sum(value for name, value in counters.items() if isinstance(value, int))


async def herd(place: Place) -> dict[str, Any]:
    """50 new runs in a project with 10,000 events, beside runs of others."""
    async with hooks_at(place) as hooks:
        large = "f" * 24
        for number in range(HERD_EVENTS):
            made = Deduplicating(project_id=large, run="old", run_uid="old", department="story")
            await hooks.log.append(made, f"old/{number}")
        others = [f"well-{n}" for n in range(50)]
        hooks.register(others, project_of)
        for number, path in enumerate(others):
            await hooks.send(path, project_of(number))
        await asyncio.sleep(5)
        hooks.delays.clear()
        fresh = [f"well-new-{n}" for n in range(HERD_RUNS)]
        hooks.register(fresh, lambda _: large)
        for number in range(400):
            if number < HERD_RUNS:
                await hooks.send(fresh[number], large)
            await hooks.send(others[number % 50], project_of(number % 50))
            await asyncio.sleep(0.025)
        await asyncio.sleep(3)
        delays = [delay for path in others for delay in hooks.delays[path]]
        new = [delay for path in fresh for delay in hooks.delays[path]]
    return {
        "new runs": len(new), "others ms p50": quantile(delays, 0.5), "others ms p99": quantile(delays, 0.99),
        "new runs ms p99": quantile(new, 0.99),
    }  # fmt: skip


async def dead(place: Place) -> dict[str, Any]:
    """1,000 receivers that refuse every connection, and then one run more."""
    async with hooks_at(place) as hooks:
        port, hooks.port = hooks.port, 1
        paths = [f"dead-{n}" for n in range(1000)]
        hooks.register(paths, project_of)
        for number, path in enumerate(paths):
            await hooks.send(path, project_of(number))
        hooks.port = port
        hooks.register(["well-1001"], project_of)
        for _ in range(100):
            await hooks.send("well-1001", project_of(0))
            await asyncio.sleep(0.1)
        await _until(lambda: len(hooks.arrived["well-1001"]) >= len(hooks.sent["well-1001"]))
        delays = hooks.delays["well-1001"]
    return {
        "dead webhooks": len(paths),
        "first ms": quantile(delays[:1], 1),
        "ms p99": quantile(delays, 0.99),
    }


async def handover(place: Place) -> dict[str, Any]:
    """Events every 50 ms, while the bridge that delivers is killed, and the next one ended."""
    figures: dict[str, Any] = {}
    async with hooks_at(place, has_bridge=False) as hooks:
        hooks.register(["well-0"], project_of)
        bridges = [await _bridge(place), await _bridge(place)]
        await hooks.send("well-0", project_of(0))
        await _until(lambda: len(hooks.arrived["well-0"]) == 1)
        for name in (signal.SIGKILL, signal.SIGTERM):
            holder = await _holder(bridges)
            before = len(hooks.arrived["well-0"])
            began_s = time.monotonic()
            bridges[holder][0].send_signal(name)
            await bridges[holder][0].wait()
            while len(hooks.arrived["well-0"]) <= before + 5:
                await hooks.send("well-0", project_of(0))
                await asyncio.sleep(0.05)
            figures[f"{name.name} s"] = round(time.monotonic() - began_s, 1)
            bridges[holder] = await _bridge(place)
        await _until(lambda: len(set(hooks.arrived["well-0"])) == len(hooks.sent["well-0"]))
        ids = hooks.arrived["well-0"]
        figures |= {
            "lost": len(hooks.sent["well-0"]) - len(set(ids)), "doubled": len(ids) - len(set(ids)),
            "in order": list(dict.fromkeys(ids)) == hooks.sent["well-0"],
        }  # fmt: skip
        for process, _ in bridges:
            process.terminate()
            await process.wait()
    return figures


async def _bridge(place: Place) -> tuple[asyncio.subprocess.Process, int]:
    port = 20000 + secrets.randbelow(20000)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gather_bridge.main", stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **settings_of(place), "GATHER_BRIDGE_PORT": str(port),
             "GATHER_BRIDGE_METRICS_PORT": str(port + 20000),
             "GATHER_BRIDGE_HOST": "127.0.0.1"},
    )  # fmt: skip
    return process, port


async def _holder(bridges: list[tuple[asyncio.subprocess.Process, int]]) -> int:
    import httpx  # noqa: PLC0415 - only here

    async with httpx.AsyncClient() as client:
        while True:
            for number, (_, port) in enumerate(bridges):
                try:
                    text = (await client.get(f"http://127.0.0.1:{port + 20000}/metrics")).text
                except httpx.HTTPError:
                    continue
                if "\ngather_bridge_delivers_webhooks 1.0" in text:
                    return number
            await asyncio.sleep(0.1)


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def main() -> None:
    """Measure what is asked for, over the outbox and over Redis alone."""
    parts = {"load": load, "idle": idle, "herd": herd, "dead": dead, "handover": handover}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--part", action="append", choices=list(parts), help="measure this alone; several times"
    )
    parser.add_argument("--only", choices=["outbox", "redis"], help="one way of the two")
    chosen = parser.parse_args()
    for way in (chosen.only,) if chosen.only else ("outbox", "redis"):
        for name in chosen.part or parts:
            with stores(has_outbox=way == "outbox") as place:
                figures = asyncio.run(parts[name](place))
            sys.stdout.write(json.dumps({"part": name, "way": way, **figures}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
