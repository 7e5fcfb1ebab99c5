"""What a further replica adds: many callers of one kind of request, of one brain and of several on one Neo4j.

Each brain gets the same share of a core: it is stopped whenever it has used more. So one machine has room for
Neo4j, the callers and all brains, and what holds several of them back can only be what they share.
"""

import asyncio
import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import httpx

from dev.progress import Reporter
from dev.rooms import BRAIN_KEY
from dev.service_process import ServiceProcess
from tests.bench.brain.calls import Call, Calls
from tests.bench.brain.rows import COVERAGE_ITEMS, TIMEOUT_S
from tests.bench.brain.seed import project_ids
from tests.bench.brain.stage import Stage
from tests.bench.measure import MS_PER_S, cpu_s
from tests.bench.report import table

SHARE: Final = 0.3
"""Of a core for each brain: two use 0.6, and Neo4j works some 0.75 for each core of theirs."""
CALLERS: Final = 4
"""For each brain; it is never idle."""
TURN_S: Final = 0.02
CREDIT_S: Final = 0.05
"""Of processor time that may be saved up while nothing is to be done."""
WARM_UP_S: Final = 5.0


@dataclass(slots=True)
class Throughput:
    """What some brains answered in so many seconds; processor time in ms a request."""

    title: str
    replicas: int
    seconds: float = 0.0
    answered: int = 0
    brain_cpu_ms: float = 0.0
    neo4j_cpu_ms: float = 0.0
    errors: list[str] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds

    def as_json(self) -> dict[str, Any]:
        """Return it for a file."""
        return {
            "title": self.title,
            "replicas": self.replicas,
            "answersPerSecond": self.per_s,
            "brainCpuMs": self.brain_cpu_ms,
            "neo4jCpuMs": self.neo4j_cpu_ms,
            "errors": self.errors,
        }


def measure_replicas(
    stage: Stage, calls: Calls, most: int, seconds: float, reporter: Reporter
) -> list[Throughput]:
    """Measure each kind of request with one brain and with `most`, for so many seconds each."""
    found = []
    with ExitStack() as stack:
        others = [
            stack.enter_context(stage.further_brain(f"brain-{number}")) for number in range(2, most + 1)
        ]
        for brain in (stage.brain, *others):
            stack.enter_context(limited(brain.pid, SHARE))
        for title, made in _kinds(stage, calls):
            for replicas in (1, most):
                with reporter.step(f"{title}, {replicas} of {most} brains"):
                    brains = [stage.brain, *others][:replicas]
                    asyncio.run(_ask(brains, made, WARM_UP_S, Throughput(title, replicas)))
                    found.append(_measured(stage, brains, made, seconds, Throughput(title, replicas)))
    return found


def replicas_table(found: Sequence[Throughput]) -> str:
    """Return each kind with one brain and with several."""
    head = ("", "brains", "answers a second", "x one", "CPU brain, ms", "CPU Neo4j, ms", "errors")
    alone = {each.title: each.per_s for each in found if each.replicas == 1}
    body = [
        (each.title, str(each.replicas), f"{each.per_s:.1f}", f"{each.per_s / alone[each.title]:.2f}",
         f"{each.brain_cpu_ms:.1f}", f"{each.neo4j_cpu_ms:.1f}", str(len(each.errors)))
        for each in found
    ]  # fmt: skip
    return table(head, body)


@contextmanager
def limited(pid: int, share: float) -> Iterator[None]:
    """Give a process that share of a core while the block lasts."""
    ended = threading.Event()

    def watch() -> None:
        since, used = time.perf_counter(), cpu_s(pid)
        while not ended.wait(TURN_S):
            ahead = cpu_s(pid) - used - (time.perf_counter() - since) * share
            if ahead < -CREDIT_S:
                since, used = time.perf_counter() - CREDIT_S / share, cpu_s(pid)
            os.kill(pid, signal.SIGSTOP if ahead > 0 else signal.SIGCONT)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        os.kill(pid, signal.SIGCONT)


def _kinds(stage: Stage, calls: Calls) -> list[tuple[str, Callable[[], Call]]]:
    projects = itertools.cycle(project_ids(stage.sizes))
    department = calls.departments[0]
    items = [calls.note(department) for _ in range(COVERAGE_ITEMS)]
    seen = calls.coverage(project_ids(stage.sizes)[0], department, items)
    return [
        ("search for duplicates", lambda: calls.search(next(projects))),
        ("context of 5 departments", lambda: calls.context(next(projects))),
        ("coverage of 100 items seen", lambda: seen),
        ("batch of 10 nodes", lambda: calls.batch(next(projects), 10)),
    ]


def _measured(
    stage: Stage,
    brains: Sequence[ServiceProcess],
    made: Callable[[], Call],
    seconds: float,
    found: Throughput,
) -> Throughput:
    def used() -> tuple[float, float]:
        return sum(cpu_s(brain.pid) for brain in brains), cpu_s(stage.neo4j.pid) if stage.neo4j else 0.0

    before = used()
    asyncio.run(_ask(brains, made, seconds, found))
    brain_s, neo4j_s = (now - then for now, then in zip(used(), before, strict=True))
    found.brain_cpu_ms = brain_s * MS_PER_S / max(found.answered, 1)
    found.neo4j_cpu_ms = neo4j_s * MS_PER_S / max(found.answered, 1)
    return found


async def _ask(
    brains: Sequence[ServiceProcess], made: Callable[[], Call], seconds: float, found: Throughput
) -> None:
    """Let each caller send its next request when it has its answer; the last ones count, too."""
    headers = {"Authorization": f"Bearer {BRAIN_KEY}", "Content-Type": "application/json"}
    started = time.perf_counter()

    async def ask(brain: ServiceProcess) -> None:
        async with httpx.AsyncClient(base_url=brain.uri, headers=headers, timeout=TIMEOUT_S) as client:
            while time.perf_counter() < started + seconds:
                call = made()
                answer = await client.request(
                    call.method, call.path, content=call.body, params=call.query or None
                )
                found.answered += 1
                if answer.status_code != HTTPStatus.OK:
                    found.errors.append(f"{answer.status_code} {answer.text[:200]}")

    await asyncio.gather(*(ask(brain) for brain in brains for _ in range(CALLERS)))
    found.seconds = time.perf_counter() - started
