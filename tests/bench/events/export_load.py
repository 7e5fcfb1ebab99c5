"""The exports' benchmark: a project of many notes, each format, and what sockets notice meanwhile."""

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import psutil
import typer
from pymongo import MongoClient
from websockets.asyncio.client import ClientConnection, connect

from dev.progress import Reporter
from dev.rooms import bridge_service
from dev.service_process import ServiceProcess
from dev.stores import running
from gather_clients.background_tasks import end_tasks
from gather_clients.event_log import EventLog
from gather_contracts import names
from tests.bench.events.stage import port_of
from tests.bench.measure import MIB, MS_PER_S, memory_of, spread, this_machine
from tests.bench.report import table
from tests.support.application.exported_film import RUN, RUN_UID, checkpoint_documents
from tests.support.application.film_notes import FilmNotes, stored_form
from tests.support.events.played_run import played_run

PROJECT: Final = "66f1a2b3c4d5e6f708192a3b"
FORMATS: Final = ("jsonl", "csv", "md", "docx")
EVENT_EVERY_S: Final = 0.02
LOOK_EVERY_S: Final = 0.01
PEOPLES_SHARE: Final = 0.1

command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True)
class Row:
    """What one thing took, and what a socket noticed."""

    title: str
    seconds: float
    first_s: float
    """To the first byte."""
    mib: float
    child_mib: float
    """The highest memory of the exporting process; 0 for pages."""
    bridge_mib: float
    delays_ms: list[float]


@command.command()
def exports(
    notes: Annotated[int, typer.Option(min=10, help="Of the project.")] = 10_000,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every measured value here.")] = None,
) -> None:
    """Measure exports and pages of a project's notes, about a minute.

    Fails if a file is not whole. Whether a time is good depends on what else the machine does.
    """
    reporter, machine = Reporter(), this_machine()
    reporter.say(machine.as_line())
    with staged() as (bridge, redis, mongodb):
        with reporter.step(f"Write {notes} notes"):
            size = fill(mongodb.uri, notes)
        rows = asyncio.run(measured(bridge, redis.uri, notes, reporter))
    reporter.say(f"\n{notes} notes, {size / MIB:.1f} MiB in MongoDB")
    reporter.say(table_of(rows))
    if json_file is not None:
        found = {"machine": machine.as_json(), "rows": [asdict(row) for row in rows]}
        json_file.write_text(json.dumps(found), encoding="utf-8")


@contextmanager
def staged() -> Iterator[tuple[ServiceProcess, ServiceProcess, ServiceProcess]]:
    """Run a bridge on stores of its own while the block lasts."""
    with running("redis") as redis, running("mongodb") as mongodb, tempfile.TemporaryDirectory() as folder:
        bridge = bridge_service(Path(folder), redis.uri, {"MONGODB_URI": mongodb.uri})
        bridge.start()
        try:
            yield bridge, redis, mongodb
        finally:
            bridge.kill()


def fill(uri: str, notes: int) -> int:
    """Write the notes, one in ten a person's, the others Gather's; return their size in bytes."""
    film = FilmNotes(PROJECT, 7)
    with MongoClient[dict[str, Any]](uri) as client:
        database = client[names.gather_database(PROJECT)]
        documents = [_note(film, place) for place in range(notes)]
        for start in range(0, notes, 1000):
            database[names.ITEMS_COLLECTION].insert_many(documents[start : start + 1000])
        database[names.CHECKPOINTS_COLLECTION].insert_many(checkpoint_documents())
        return int(database.command("collStats", names.ITEMS_COLLECTION)["size"])


def _note(film: FilmNotes, place: int) -> Any:
    if place % int(1 / PEOPLES_SHARE) == 0:
        return stored_form(film.note().document)
    document = film.note("plain").document
    slug = ("story", "character", "sound")[place % 3]
    words = " ".join(film.sentence() for _ in range(12))
    return document | {
        "content": words, "isAutomated": True, "automationMetadata": {
            "taskId": "t", "department": slug, "departmentName": slug.title(), "iteration": 1 + place // 30,
            "qualityScore": 70.0, "basedOnNodes": [f"{n:024x}" for n in range(20)], "model": "m", "run": RUN,
            "runUid": RUN_UID, "prompt": "generate.v3",
        },
    }  # fmt: skip


async def measured(bridge: ServiceProcess, redis: str, notes: int, reporter: Reporter) -> list[Row]:
    """Return a row for nothing, for pages and for each format."""
    url = f"http://127.0.0.1:{port_of(bridge)}/api/v1/projects/{PROJECT}"
    rows = []
    async with httpx.AsyncClient(timeout=600) as client, listening(bridge, redis) as delays:
        with reporter.step("idle"):
            await asyncio.sleep(5)
        rows.append(Row("nothing", 5, 0, 0, 0, memory_of(_pid(bridge)).rss, list(delays)))
        with reporter.step("pages"):
            rows.append(await _pages(client, url, bridge, delays))
        for name in FORMATS:
            with reporter.step(name):
                rows.append(await _export(client, url, name, bridge, delays, notes))
    return rows


async def _pages(client: httpx.AsyncClient, url: str, bridge: ServiceProcess, delays: list[float]) -> Row:
    delays.clear()
    began_s, size, after, first_s = time.perf_counter(), 0, "", 0.0
    while True:
        answer = await client.get(
            f"{url}/notes", params={"limit": 200, **({"after": after} if after else {})}
        )
        size += len(answer.content)
        first_s = first_s or time.perf_counter() - began_s
        after = answer.raise_for_status().json()["next"]
        if after is None:
            break
    took_s = time.perf_counter() - began_s
    rss = memory_of(_pid(bridge)).rss
    return Row("all pages of 200", took_s, first_s, size / MIB, 0, rss, list(delays))


async def _export(  # noqa: PLR0917 - what one row is made of
    client: httpx.AsyncClient, url: str, name: str, bridge: ServiceProcess, delays: list[float], notes: int
) -> Row:
    delays.clear()
    began_s, first_s, size, last = time.perf_counter(), 0.0, 0, b""
    highest = [0.0]
    looking = asyncio.create_task(_look(_pid(bridge), highest))
    async with client.stream("GET", f"{url}/export", params={"format": name}) as answer:
        answer.raise_for_status()
        async for piece in answer.aiter_bytes():
            first_s = first_s or time.perf_counter() - began_s
            size, last = size + len(piece), (last + piece)[-300:]
    took_s = time.perf_counter() - began_s
    await end_tasks([looking])
    if name == "jsonl" and json.loads(last.splitlines()[-1])["notes"] < notes * 0.9:
        sys.exit("the export is not whole")
    return Row(name, took_s, first_s, size / MIB, max(highest), memory_of(_pid(bridge)).rss, list(delays))


async def _look(pid: int, highest: list[float]) -> None:
    """Keep the highest memory of the process's children, until cancelled."""
    while True:
        for child in psutil.Process(pid).children():
            with contextlib.suppress(psutil.Error, OSError, StopIteration):
                highest.append(memory_of(child.pid).peak_rss)
        await asyncio.sleep(LOOK_EVERY_S)


@asynccontextmanager
async def listening(bridge: ServiceProcess, redis: str) -> AsyncIterator[list[float]]:
    """Publish an event every 20 ms, and keep after how many ms a socket had each."""
    delays: list[float] = []
    sent: dict[int, float] = {}
    log = EventLog(redis, 5)
    url = f"ws://127.0.0.1:{port_of(bridge)}/api/v1/projects/{PROJECT}/events"
    async with connect(url, compression=None, proxy=None) as socket:
        await socket.recv()
        tasks = [
            asyncio.create_task(_publish(log, sent)),
            asyncio.create_task(_listen(socket, sent, delays)),
        ]
        try:
            yield delays
        finally:
            await end_tasks(tasks)
            await log.close()


async def _publish(log: EventLog, sent: dict[int, float]) -> None:
    event, number = played_run(PROJECT)[2], 0
    while True:
        number += 1
        sent[number] = time.perf_counter()
        await log.append(event)
        await asyncio.sleep(EVENT_EVERY_S)


async def _listen(socket: ClientConnection, sent: dict[int, float], delays: list[float]) -> None:
    async for frame in socket:
        offset = json.loads(frame).get("offset")
        if offset in sent:
            delays.append((time.perf_counter() - sent.pop(offset)) * MS_PER_S)


def _pid(bridge: ServiceProcess) -> int:
    return int(bridge.pid)


def table_of(rows: list[Row]) -> str:
    """Return the rows as a table."""
    head = ("", "s", "first byte s", "MiB", "its process MiB", "bridge MiB", "event ms median", "p95", "max")
    body = []
    for row in rows:
        found = spread(row.delays_ms)
        figures = (row.seconds, row.first_s, row.mib, row.child_mib, row.bridge_mib)
        body.append((row.title, *(f"{each:.1f}" for each in figures), f"{found.median:.1f}",
                     f"{found.p95:.1f}", f"{found.most:.1f}"))  # fmt: skip
    return table(head, body)


if __name__ == "__main__":
    command()
