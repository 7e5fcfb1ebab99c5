"""All kinds of requests at once at the required rates, for minutes.

Each request has a time at which it is due, whatever became of those before it, and its latency counts from
then: a brain that falls behind cannot slow down who asks it and look fast (coordinated omission).
"""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final

import httpx

from dev.progress import Reporter, Step
from dev.rooms import BRAIN_KEY
from gather_clients.background_tasks import end_tasks
from tests.bench.brain.calls import Call, Calls
from tests.bench.brain.rows import COVERAGE_ITEMS
from tests.bench.brain.seed import project_ids
from tests.bench.brain.stage import Stage
from tests.bench.measure import MS_PER_S, Memory, cpu_s, memory_of

MINUTE_S: Final = 60
BATCH_NODES: Final = 10
"""What a worker writes in an iteration; 50 batches make the required 500 nodes a minute."""
PROJECTS: Final = 34
"""At the usual limit of 30 searches a minute, 1000 need so many."""
TIMEOUT_S: Final = 60
CONNECTIONS_MAX: Final = 200
MEMORY_EVERY_S: Final = 1.0


@dataclass(slots=True)
class Kind:
    """Requests of one kind: so many a minute, and the p95 that is required of them."""

    title: str
    per_minute: float
    required_ms: float
    calls: Iterator[Call]
    warm_up: int
    """Calls before those that count."""
    walls: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it for a file."""
        named = {"title": self.title, "perMinute": self.per_minute, "requiredP95Ms": self.required_ms}
        return named | {"latencyMs": self.walls, "errors": self.errors}


@dataclass(frozen=True, slots=True)
class Sustained:
    """What was measured; memory is of the brain's process, processor time of the whole of it in cores."""

    seconds: float
    kinds: Sequence[Kind]
    before: Memory
    after: Memory
    peak_pss: float
    brain_cores: float
    neo4j_cores: float


@dataclass(frozen=True, slots=True)
class Load:
    """How much is asked: for how long, and at which share of the required rates.

    So many departments are analysed in turn, of whose items a share is new each time.
    """

    seconds: float
    rate: float
    departments: int
    unseen_share: float


def kinds_of(calls: Calls, projects: Sequence[str], load: Load) -> list[Kind]:
    """Return what is asked: half of it of the measured project, the other half of the others in turn."""
    measured, *others = projects[:PROJECTS]
    searched, written, asked = (_alternating(measured, others) for _ in range(3))
    kinds = [
        Kind("search for duplicates", 1000, 500, (calls.search(p) for p in searched), round(300 * load.rate)),
        Kind(
            f"batch of {BATCH_NODES} nodes",
            50,
            1000,
            (calls.batch(p, BATCH_NODES) for p in written),
            round(20 * load.rate),
        ),
        Kind("context of 5 departments", 100, 800, (calls.context(p) for p in asked), round(100 * load.rate)),
        Kind("coverage of 100 items", 50, 1500, _analyses(calls, projects, load), load.departments),
    ]
    return [replace(kind, per_minute=kind.per_minute * load.rate) for kind in kinds]


async def sustain(stage: Stage, calls: Calls, load: Load, reporter: Reporter) -> Sustained:
    """Send everything for so many seconds and wait for the last answer."""
    kinds = kinds_of(calls, project_ids(stage.sizes), load)
    headers = {"Authorization": f"Bearer {BRAIN_KEY}", "Content-Type": "application/json"}
    limits = httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX)
    async with httpx.AsyncClient(
        base_url=stage.brain.uri, headers=headers, timeout=TIMEOUT_S, limits=limits
    ) as client:
        with reporter.step("Warming up") as step:
            for kind in kinds:
                step.waits_for(kind.title)
                for call in itertools.islice(kind.calls, kind.warm_up):
                    await _send(client, call)
        with reporter.step(f"All kinds at once for {load.seconds:.0f} s") as step:
            return await _measured(stage, client, kinds, load.seconds, step)


async def _measured(
    stage: Stage, client: httpx.AsyncClient, kinds: Sequence[Kind], seconds: float, step: Step
) -> Sustained:
    before = memory_of(stage.brain.pid)
    peaks = [before.pss]
    used = _cpu(stage)
    watcher = asyncio.create_task(_watch(stage.brain.pid, peaks, kinds, step))
    started = time.perf_counter()
    try:
        await asyncio.gather(*(_drive(client, kind, started, seconds) for kind in kinds))
    finally:
        await end_tasks([watcher])
    passed = time.perf_counter() - started
    brain, neo4j = (now - then for now, then in zip(_cpu(stage), used, strict=True))
    after = memory_of(stage.brain.pid)
    return Sustained(passed, kinds, before, after, max(*peaks, after.pss), brain / passed, neo4j / passed)


async def _drive(client: httpx.AsyncClient, kind: Kind, started: float, seconds: float) -> None:
    """Start each request when it is due, and wait for all answers."""
    gap_s = MINUTE_S / kind.per_minute
    async with asyncio.TaskGroup() as group:
        for number in range(max(1, int(seconds / gap_s))):
            call = next(kind.calls)  # made while there is time before it is due
            # In the middle of its turn, so that the kinds do not all begin at once.
            due = started + (number + 0.5) * gap_s
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(_take(client, kind, call, due))


async def _take(client: httpx.AsyncClient, kind: Kind, call: Call, due: float) -> None:
    error = await _send(client, call)
    kind.walls.append((time.perf_counter() - due) * MS_PER_S)
    if error:
        kind.errors.append(error)


async def _send(client: httpx.AsyncClient, call: Call) -> str | None:
    """Send one request and return what went wrong."""
    try:
        answer = await client.request(call.method, call.path, content=call.body, params=call.query or None)
    except httpx.HTTPError as failure:
        return repr(failure)
    return None if answer.status_code == HTTPStatus.OK else f"{answer.status_code} {answer.text[:200]}"


async def _watch(pid: int, peaks: list[float], kinds: Sequence[Kind], step: Step) -> None:
    while True:
        await asyncio.sleep(MEMORY_EVERY_S)
        peaks.append((await asyncio.to_thread(memory_of, pid)).pss)
        answers = sum(len(kind.walls) for kind in kinds)
        step.waits_for(f"{answers} answers, {sum(len(kind.errors) for kind in kinds)} errors")


def _cpu(stage: Stage) -> tuple[float, float]:
    return cpu_s(stage.brain.pid), cpu_s(stage.neo4j.pid) if stage.neo4j else 0.0


def _alternating(measured: str, others: Sequence[str]) -> Iterator[str]:
    for other in itertools.cycle(others):
        yield measured
        yield other


def _analyses(calls: Calls, projects: Sequence[str], load: Load) -> Iterator[Call]:
    """Analyse departments in turn, as workers do after each iteration."""
    new = round(COVERAGE_ITEMS * load.unseen_share)
    places = [
        (projects[index % len(projects)], calls.departments[index % len(calls.departments)])
        for index in range(load.departments)
    ]
    items = [[calls.note(department) for _ in range(COVERAGE_ITEMS)] for _, department in places]
    for index in itertools.cycle(range(load.departments)):
        project, department = places[index]
        items[index] = [*items[index][new:], *(calls.note(department) for _ in range(new))]
        yield calls.coverage(project, department, items[index])
