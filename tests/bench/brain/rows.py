"""One request at a time: how long each kind takes, next to the least that it could take."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from itertools import islice
from typing import Any, Final

import httpx

from dev.progress import Reporter
from dev.rooms import BRAIN_KEY
from gather_contracts.brain import DELETED_IDS_MAX
from tests.bench.brain.calls import Call, Calls
from tests.bench.brain.floors import Floors
from tests.bench.brain.stage import Stage
from tests.bench.measure import MS_PER_S, Spread, cpu_s, spread

COVERAGE_ITEMS: Final = 100
NEW_ITEMS: Final = 10
"""Of a department's hundred, when a worker analyses it again after an iteration."""
TIMEOUT_S: Final = 60


class RowKey(StrEnum):
    """What can be measured, by its name on the command line."""

    DUPLICATES = "duplicates"
    CONTEXT = "context"
    COVERAGE_UNSEEN = "coverage-unseen"
    COVERAGE_SEEN = "coverage-seen"
    COVERAGE_WORKER = "coverage-worker"
    BATCH_10 = "batch-10"
    BATCH_50 = "batch-50"
    LIST_500 = "list-500"
    DELETE_100 = "delete-100"
    SUSTAINED = "sustained"
    """All kinds at once."""


Sample = tuple[Call, Callable[[Call], float]]


@dataclass(frozen=True, slots=True)
class Row:
    """A kind of request; `samples` yields requests with their floors without end."""

    key: RowKey
    title: str
    required_ms: float
    goal_ms: float | None
    floor: str
    warm_up: int
    """Calls before those that count: Java takes some thousand searches to become as fast as it stays."""
    samples: Iterator[Sample]


@dataclass(slots=True)
class Measured:
    """What was measured of a row; times in ms, processor time in ms a request."""

    row: Row
    walls: list[float] = field(default_factory=list)
    floors: list[float] = field(default_factory=list)
    embeddings: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    brain_cpu_ms: float = 0.0
    neo4j_cpu_ms: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return it for a file."""
        row = self.row
        named = {
            "key": row.key,
            "title": row.title,
            "requiredP95Ms": row.required_ms,
            "goalP95Ms": row.goal_ms,
        }
        return named | {
            "floorIs": row.floor,
            "wallMs": self.walls,
            "floorMs": self.floors,
            "embeddingMs": self.embeddings,
            "brainCpuMs": self.brain_cpu_ms,
            "neo4jCpuMs": self.neo4j_cpu_ms,
            "errors": self.errors,
        }

    def wall(self) -> Spread:
        """Return the spread of the times."""
        return spread(self.walls)


def all_rows(calls: Calls, floors: Floors, project: str) -> list[Row]:
    """Return the rows; those that write come last, so that the others meet the sizes that were asked for."""
    return [
        Row(RowKey.DUPLICATES, "duplicates", 500, 60, "model + exact search + empty round trips", 1200,
            ((calls.search(project), floors.search) for _ in _for_ever())),
        Row(RowKey.CONTEXT, "context, 5 departments", 800, 150, "exact search + empty round trips", 400,
            ((calls.context(project), floors.context) for _ in _for_ever())),
        Row(RowKey.COVERAGE_UNSEEN, "coverage, 100 items not seen before", 1500, 1300,
            "model + empty round trips", 4, _unseen(calls, floors, project)),
        Row(RowKey.COVERAGE_SEEN, "coverage, 100 items seen", 1500, 250, "products + empty round trips", 10,
            _seen(calls, floors, project)),
        Row(RowKey.COVERAGE_WORKER, f"coverage, {NEW_ITEMS} of 100 items new", 1500, None,
            "model + empty round trips", 10, _partly_new(calls, floors, project)),
        Row(RowKey.BATCH_10, "batch, 10 nodes", 1000, 250, "model + empty round trips", 100,
            ((calls.batch(project, 10), floors.batch) for _ in _for_ever())),
        Row(RowKey.BATCH_50, "batch, 50 nodes", 4000, 1000, "model + empty round trips", 10,
            ((calls.batch(project, 50), floors.batch) for _ in _for_ever())),
        Row(RowKey.LIST_500, "list, a page of 500 nodes", 1000, None, "empty round trips", 100,
            ((calls.listing(project), floors.trips) for _ in _for_ever())),
        Row(RowKey.DELETE_100, "delete, 100 nodes", 2000, None, "empty round trips", 10,
            _deletions(calls, floors, project)),
    ]  # fmt: skip


def measure(
    stage: Stage, rows: Sequence[Row], repeats: int, reporter: Reporter, *, is_warmed_up: bool
) -> list[Measured]:
    """Measure the rows one after the other, each request together with its floor."""
    headers = {"Authorization": f"Bearer {BRAIN_KEY}", "Content-Type": "application/json"}
    with httpx.Client(base_url=stage.brain.uri, headers=headers, timeout=TIMEOUT_S) as client:
        measured = []
        for row in rows:
            if is_warmed_up:
                _warm_up(client, row, reporter)
            measured.append(_measure_row(stage, client, row, repeats, reporter))
        return measured


def _warm_up(client: httpx.Client, row: Row, reporter: Reporter) -> None:
    """Send what does not count, right before what does: no row meets the writes of a later one."""
    with reporter.step(f"Warming up for {row.title}") as step:
        for index, (call, _) in enumerate(islice(row.samples, row.warm_up)):
            step.waits_for(f"{index} of {row.warm_up}")
            send(client, call)


def send(client: httpx.Client, call: Call) -> httpx.Response:
    """Send one request."""
    return client.request(call.method, call.path, content=call.body, params=call.query or None)


def _measure_row(stage: Stage, client: httpx.Client, row: Row, repeats: int, reporter: Reporter) -> Measured:
    measured = Measured(row)
    with reporter.step(f"Measuring {row.title}") as step:
        for index, (call, floor) in enumerate(islice(row.samples, repeats)):
            step.waits_for(f"{index} of {repeats}")
            _measure_call(stage, client, call, measured)
            measured.floors.append(floor(call))
    measured.brain_cpu_ms /= repeats
    measured.neo4j_cpu_ms /= repeats
    return measured


def _measure_call(stage: Stage, client: httpx.Client, call: Call, measured: Measured) -> None:
    brain, neo4j = cpu_s(stage.brain.pid), cpu_s(stage.neo4j.pid) if stage.neo4j else 0.0
    started = time.perf_counter()
    answer = send(client, call)
    measured.walls.append((time.perf_counter() - started) * MS_PER_S)
    measured.brain_cpu_ms += (cpu_s(stage.brain.pid) - brain) * MS_PER_S
    measured.neo4j_cpu_ms += ((cpu_s(stage.neo4j.pid) if stage.neo4j else 0.0) - neo4j) * MS_PER_S
    if answer.status_code == HTTPStatus.OK:
        measured.embeddings.append(embedding_ms(answer.content))
    else:
        measured.errors.append(f"{answer.status_code} {answer.text[:200]}")


def embedding_ms(content: bytes) -> float:
    """Return what the brain says that embedding took, waiting included; 0 where it says nothing."""
    body: Mapping[str, Any] = json.loads(content)
    timing = body.get("timing", body)
    return float(timing.get("embedding_time_ms", timing.get("query_embedding_time_ms", 0)))


def _unseen(calls: Calls, floors: Floors, project: str) -> Iterator[Sample]:
    for department in _departments(calls):
        items = [calls.note(department) for _ in range(COVERAGE_ITEMS)]
        call = calls.coverage(project, department, items)
        yield call, floors.coverage(call.texts)


def _seen(calls: Calls, floors: Floors, project: str) -> Iterator[Sample]:
    """The same items again and again; the warm-up sends them first."""
    department = next(_departments(calls))
    items = [calls.note(department) for _ in range(COVERAGE_ITEMS)]
    call = calls.coverage(project, department, items)
    while True:
        yield call, floors.coverage([])


def _partly_new(calls: Calls, floors: Floors, project: str) -> Iterator[Sample]:
    department = next(_departments(calls))
    items = [calls.note(department) for _ in range(COVERAGE_ITEMS)]
    while True:
        new = [calls.note(department) for _ in range(NEW_ITEMS)]
        items = [*items[NEW_ITEMS:], *new]
        sentences = calls.coverage(project, department, new).texts
        yield calls.coverage(project, department, items), floors.coverage(sentences)


def _deletions(calls: Calls, floors: Floors, project: str) -> Iterator[Sample]:
    """What one request deletes is there again before the next."""
    ids = floors.ids(project)
    while True:
        for start in range(0, len(ids) - DELETED_IDS_MAX + 1, DELETED_IDS_MAX):
            some = ids[start : start + DELETED_IDS_MAX]
            kept = floors.kept(project, some)
            yield calls.deletion(project, some), floors.trips
            floors.restore(kept)


def _departments(calls: Calls) -> Iterator[str]:
    while True:
        yield from calls.departments


def _for_ever() -> Iterator[None]:
    while True:
        yield None
